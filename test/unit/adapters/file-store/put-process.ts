import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { openFileObjectStore } from '../../../../src/adapters/file-store/file-object-store.js'
import { PipelineError } from '../../../../src/domain/errors.js'

/** A process of its own that puts a file under a key where there is none yet; prints what came of it. */
const [root = '', key = '', path = ''] = process.argv.slice(2)
const store = await openFileObjectStore({ url: root })
const sha256Hex = createHash('sha256').update(await readFile(path)).digest('hex')
console.log('ready')
for await (const _line of process.stdin) break
try {
  await store.put({ key, path, sha256Hex, condition: { ifNoneMatch: '*' } })
  console.log('won')
} catch (thrown) {
  console.log(thrown instanceof PipelineError ? thrown.code : String(thrown))
}
