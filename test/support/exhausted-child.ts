/**
 * Uses up the files that this process may open, then asks for a conversion and for a file to download to, and prints
 * the codes of both. Arguments: a request as JSON, and a path.
 */
import { closeSync, openSync } from 'node:fs'
import { openEngine } from '../../src/adapters/engine/engine-pool.js'
import { ReceivedFile } from '../../src/adapters/binance/received-file.js'
import { asPipelineError } from '../../src/domain/errors.js'
import { fromJson } from '../../src/domain/json.js'
import type { ConvertRequest } from '../../src/domain/ports/engine.js'

const request = fromJson(process.argv[2] ?? '') as ConvertRequest
const engine = openEngine({ slots: 1, memoryBytes: 256 * 1024 ** 2, tempBytes: 0 })
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (thrown: unknown) => asPipelineError(thrown).code)
const convert = (): Promise<string> => codeOf(engine.convert(request, new AbortController().signal))

const held: number[] = []
try {
  for (;;) held.push(openSync('/dev/null', 'r'))
} catch (thrown) {
  if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EMFILE')) throw thrown
}
const codes = [await codeOf(ReceivedFile.create(process.argv[3] ?? '')), await convert()]
for (const fd of held) closeSync(fd)
codes.push(await convert())
await engine.close()
console.log(JSON.stringify({ held: held.length, codes }))
