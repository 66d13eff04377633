import { expect } from 'chai'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { gzipped, writeTo, writeWhole } from '../../../src/exports/write-whole.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'

describe('a file that is written whole or not at all', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let left = false

  beforeEach(async () => {
    folder = await tempFolder()
    left = false
  })
  afterEach(() => folder.remove())

  /** Some pieces; notes when whoever takes them has let go. */
  async function* pieces(count: number, failure?: Error): AsyncGenerator<string> {
    try {
      for (let n = 0; n < count; n++) yield await Promise.resolve(`piece ${n}\n`)
      if (failure) throw failure
    } finally {
      left = true
    }
  }

  it('takes its name when all is there, over one that was there', async () => {
    const path = join(folder.path, 'out.csv')
    writeFileSync(path, 'before')
    expect(await writeWhole(path, pieces(3))).to.equal(24)
    expect(readFileSync(path, 'utf8')).to.equal('piece 0\npiece 1\npiece 2\n')
    expect(readdirSync(folder.path)).to.deep.equal(['out.csv'])
  })

  it('leaves what was there, and nothing beside it, when the pieces fail', async () => {
    const path = join(folder.path, 'out.csv')
    writeFileSync(path, 'before')
    const failure = new Error('no more')
    const thrown = await writeWhole(path, pieces(3, failure)).catch((error: unknown) => error)
    expect(thrown).to.equal(failure)
    expect(readFileSync(path, 'utf8')).to.equal('before')
    expect(readdirSync(folder.path)).to.deep.equal(['out.csv'])
  })

  it('says where it cannot be written', async () => {
    const path = join(folder.path, 'nowhere', 'out.csv')
    expect((await failingWith('BAD_USAGE', writeWhole(path, pieces(1)))).at).to.equal(path)
  })

  it('writes to a device as it is', async () => {
    expect(await writeWhole('/dev/null', pieces(2))).to.equal(16)
    expect(readFileSync('/dev/null')).to.have.length(0)
  })

  if (process.platform === 'linux') {
    it('says that the disk is full', () => failingWith('DISK_FULL', writeWhole('/dev/full', pieces(2))))
  }

  it('gzips on the way, and lets the source go when nobody reads on', async () => {
    const path = join(folder.path, 'out.csv.gz')
    await writeWhole(path, gzipped(pieces(2_000)))
    expect(gunzipSync(readFileSync(path)).toString().split('\n')).to.have.length(2_001)
    left = false
    for await (const piece of gzipped(pieces(1_000_000))) {
      expect(piece.length).to.be.greaterThan(0)
      break
    }
    expect(left).to.equal(true)
    const failure = new Error('no more')
    expect(await writeWhole(join(folder.path, 'x'), gzipped(pieces(2, failure))).catch((error: unknown) => error)).to.equal(failure)
  })

  it('waits for a stream to take each piece, and ends with its error', async () => {
    const taken: string[] = []
    const slow = { write: (bytes: Uint8Array, done: (error?: Error) => void) => {
      setTimeout(() => {
        taken.push(Buffer.from(bytes).toString())
        done(taken.length === 2 ? Object.assign(new Error('gone'), { code: 'EPIPE' }) : undefined)
      }, 5)
      return false
    } }
    const thrown: unknown = await writeTo(slow, pieces(9)).catch((error: unknown) => error)
    expect(thrown).to.have.property('code', 'EPIPE')
    expect(taken).to.have.length(2)
    expect(left).to.equal(true)
  })
})
