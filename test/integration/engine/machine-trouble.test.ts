import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ReceivedFile } from '../../../src/adapters/binance/received-file.js'
import { openEngine } from '../../../src/adapters/engine/engine-pool.js'
import { diskFailure } from '../../../src/domain/disk-failure.js'
import { asPipelineError, policyOf } from '../../../src/domain/errors.js'
import { toJson } from '../../../src/domain/json.js'
import { csvOf, EngineFolder, hourLines, zipOf } from '../../support/engine-harness.js'
import { describeWithMounts, mountSmallDisk } from '../../support/small-disk.js'

const run = promisify(execFile)
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (thrown: unknown) => asPipelineError(thrown).code)
const zip = zipOf(csvOf(hourLines(744)))

describe('trouble of the machine is not the partition\'s', function () {
  this.timeout(60_000)
  let folder: EngineFolder
  before(async () => {
    folder = await EngineFolder.make()
  })
  after(() => folder.remove())

  it('a process that may open no file more waits, and works when it may again', async () => {
    const request = await folder.request([{ zip }])
    const child = fileURLToPath(new URL('../../support/exhausted-child.js', import.meta.url))
    const limited = ['-c', 'ulimit -n 256; exec "$0" "$@"', process.execPath, child]
    const { stdout } = await run('sh', [...limited, toJson(request), join(folder.path, 'part')])
    const { held, codes } = JSON.parse(stdout) as { held: number; codes: string[] }
    expect(held, 'they were used up').to.be.within(50, 256)
    expect(codes).to.deep.equal(['STORE_UNREACHABLE', 'ENGINE_UNAVAILABLE', 'done'])
    for (const code of ['STORE_UNREACHABLE', 'ENGINE_UNAVAILABLE'] as const) {
      expect(policyOf(code).infrastructure, code).to.equal(true)
    }
  })

  it('a failed system call is told by its code, or by its words where a library kept no code; a file to blame is not', async () => {
    const words = ['Read-only file system', 'Too many open files', 'Input/output error', 'Permission denied', 'Disk quota exceeded']
    expect(words.map((text) => diskFailure(new Error(`IO Error: Cannot open file "x": ${text}`), 'x')?.code))
      .to.deep.equal(['STORE_UNREACHABLE', 'STORE_UNREACHABLE', 'STORE_UNREACHABLE', 'STORE_UNREACHABLE', 'DISK_FULL'])
    expect(diskFailure(new Error('Invalid Input Error: No magic bytes found'), 'x')).to.equal(null)
    expect(await codeOf(ReceivedFile.create(join(folder.path, 'none/there')).catch((thrown: unknown) => {
      throw diskFailure(thrown, 'x') ?? thrown
    })), 'a folder that was swept').to.equal('UNEXPECTED')
  })
})

describeWithMounts('trouble of a read-only disk', fileURLToPath(import.meta.url), function () {
  it('delays the download that has nowhere to go, and the conversion', async () => {
    const disk = await mountSmallDisk(8_192)
    const engine = openEngine({ slots: 1, memoryBytes: 256 * 1024 ** 2, tempBytes: 0 })
    const folder = await EngineFolder.make()
    try {
      const request = { ...(await folder.request([{ zip }])), outPath: join(disk.path, 'data.parquet'), scratch: disk.path }
      await chmod(disk.path, 0o755)
      await disk.readOnly()
      expect(await codeOf(writeFile(join(disk.path, 'x'), '').catch((thrown: unknown) => {
        throw diskFailure(thrown, 'x') ?? thrown
      })), 'it is read-only').to.equal('STORE_UNREACHABLE')
      expect(await codeOf(ReceivedFile.create(join(disk.path, 'part')))).to.equal('STORE_UNREACHABLE')
      expect(await codeOf(engine.convert(request, new AbortController().signal))).to.equal('STORE_UNREACHABLE')
    } finally {
      await engine.close()
      await folder.remove()
      await disk.unmount()
    }
  })
})
