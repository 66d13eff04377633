import { expect } from 'chai'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { readMembers } from '../../../src/sources/zip-directory.js'
import { inflateMember } from '../../../src/sources/zip-member.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { csvOf, hourLines } from '../../support/engine-harness.js'
import { buildZip } from '../../support/zip-builder.js'

const content = Buffer.concat(Array.from({ length: 60 }, () => csvOf(hourLines(700))))

/** Inflated at once, and piece by piece as large members are. */
for (const { how, wholeBytesMax } of [
  { how: 'at once', wholeBytesMax: 2 ** 30 },
  { how: 'piece by piece', wholeBytesMax: 0 },
]) {
  describe(`a member inflated ${how}`, () => {
    let folder: string
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'candlelake-zip-'))
    })
    after(() => rm(folder, { recursive: true, force: true }))

    async function inflate(zip: Buffer): Promise<{ bytes: Buffer; pieces: number } | string> {
      const path = join(folder, 'a.zip')
      await writeFile(path, zip)
      const handle = await open(path)
      const pieces: Buffer[] = []
      try {
        const file = { path, handle, size: zip.length, name: 'a.zip' }
        const [member] = await readMembers(file)
        await inflateMember(file, member!, (piece) => pieces.push(Buffer.from(piece)), wholeBytesMax)
        return { bytes: Buffer.concat(pieces), pieces: pieces.length }
      } catch (thrown) {
        if (!(thrown instanceof PipelineError)) throw thrown
        return thrown.code
      } finally {
        await handle.close()
      }
    }

    it('has the bytes that went in', async () => {
      const got = await inflate(buildZip([{ name: 'a.csv', content }]))
      if (typeof got === 'string') throw new Error(got)
      expect(got.bytes.equals(content)).to.equal(true)
      expect(got.pieces > 1).to.equal(wholeBytesMax === 0)
    })

    const deflated = deflateRawSync(content)
    const damaged = Buffer.from(deflated)
    damaged.fill(0xff, 50_000, 50_100)
    const FAULTS = [
      { what: 'damaged deflate data', deflated: damaged },
      { what: 'deflate data that end too early', deflated: deflated.subarray(0, deflated.length - 500) },
      { what: 'bytes after the deflate data', deflated: Buffer.concat([deflated, Buffer.alloc(300_000)]) },
      { what: 'the data of another file', deflated: deflateRawSync(content.subarray(1)) },
      { what: 'more data than claimed', deflated: deflateRawSync(Buffer.concat([content, content])) },
    ]
    for (const fault of FAULTS) {
      it(`is refused for ${fault.what}`, async () => {
        expect(await inflate(buildZip([{ name: 'a.csv', content, deflated: fault.deflated }]))).to.equal('ZIP_CORRUPT')
      })
    }

    it('is refused as a bomb beyond 200 bytes for one', async () => {
      expect(await inflate(buildZip([{ name: 'a.csv', content: Buffer.alloc(80_000_000) }]))).to.equal('ZIP_REFUSED')
    })
  })
}
