import { createHash } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import type { StagedFile, Staging } from '../../src/domain/ports/staging.js'
import { failingWith } from '../support/failing-with.js'

/** A staging to test: `open` gives an empty one; `reopen` gives what another process would see. */
export type StagingUnderTest = {
  readonly name: string
  open(): Promise<{ staging: Staging; reopen: () => Promise<Staging>; close: () => Promise<void> }>
}

const ONE = 'spot-klines/btcusdt/1h/2024-01/g1-aaaa'
const TWO = 'spot-klines/btcusdt/1h/2024-01/g2-bbbb'
const CN = 'spot-klines/币安人生usdt/1m/2025-10/g1-cccc'

/** What every staging promises. */
export function stagingContract(subject: StagingUnderTest): void {
  describe(`${subject.name}: Staging contract`, () => {
    let staging: Staging
    let reopen: () => Promise<Staging>
    let close: () => Promise<void>

    beforeEach(async () => {
      ;({ staging, reopen, close } = await subject.open())
    })
    afterEach(() => close())

    const keep = async (folder: string, name: string, content: string): Promise<StagedFile> => {
      const path = join(await staging.scratch(folder), `${name}.part`)
      await writeFile(path, content)
      const sha256Hex = createHash('sha256').update(content).digest('hex')
      return staging.keep({ key: `${folder}/${name}`, path, sha256Hex })
    }
    const read = async (from: Staging, file: StagedFile): Promise<string> =>
      readFile(await from.open(file, await from.scratch(TWO)), 'utf8')
    const folders = async (): Promise<Map<string, number>> => {
      const found = new Map<string, number>()
      for await (const { folder, bytes } of staging.folders()) found.set(folder, bytes)
      return found
    }

    it('a kept file can be opened by another process, with its length and digest recorded', async () => {
      const file = await keep(ONE, 'a.zip', 'content')
      expect(file).to.deep.equal({
        key: `${ONE}/a.zip`,
        bytes: 7,
        sha256Hex: createHash('sha256').update('content').digest('hex'),
      })
      expect(await read(await reopen(), file)).to.equal('content')
    })

    it('two executions of one partition never meet', async () => {
      const one = await keep(ONE, 'a.zip', 'one')
      const two = await keep(TWO, 'a.zip', 'two!')
      expect(await read(staging, one)).to.equal('one')
      expect(await read(staging, two)).to.equal('two!')
    })

    it('keeping a key again replaces the file', async () => {
      await keep(ONE, 'a.zip', 'old')
      expect(await read(staging, await keep(ONE, 'a.zip', 'newer'))).to.equal('newer')
    })

    it('scratch is a folder that is there, the same for the same execution', async () => {
      const path = await staging.scratch(ONE)
      expect((await stat(path)).isDirectory()).to.equal(true)
      await writeFile(join(path, 'half'), 'x')
      expect(await staging.scratch(ONE)).to.equal(path)
      expect(await staging.scratch(TWO)).to.not.equal(path)
    })

    it('an unfinished scratch file is not a staged one', async () => {
      await writeFile(join(await staging.scratch(ONE), 'half.zip'), 'x')
      const file = { key: `${ONE}/half.zip`, bytes: 1, sha256Hex: '' }
      await failingWith('STAGING_LOST', async () => staging.open(file, await staging.scratch(TWO)))
    })

    it('a file that is gone or has another length is STAGING_LOST', async () => {
      const file = await keep(ONE, 'a.zip', 'content')
      await failingWith('STAGING_LOST', async () => staging.open({ ...file, bytes: 8 }, await staging.scratch(TWO)))
      await staging.clear(ONE)
      await failingWith('STAGING_LOST', async () => staging.open(file, await staging.scratch(TWO)))
    })

    it('keeping a scratch file that is gone is STAGING_LOST', async () => {
      const path = join(await staging.scratch(ONE), 'none')
      await failingWith('STAGING_LOST', staging.keep({ key: `${ONE}/a.zip`, path, sha256Hex: '' }))
    })

    it('clear removes kept and scratch files of one execution and of no other', async () => {
      await keep(ONE, 'a.zip', 'one')
      await writeFile(join(await staging.scratch(ONE), 'half'), 'x')
      const two = await keep(TWO, 'a.zip', 'two')
      await staging.clear(ONE)
      expect([...(await folders()).keys()]).to.deep.equal([TWO])
      expect(await read(staging, two)).to.equal('two')
      await staging.clear(ONE)
      await staging.clear(CN)
      await staging.clear(TWO)
      expect(await folders()).to.deep.equal(new Map())
    })

    it('folders lists every execution that left something, with bytes and the time of the last change', async () => {
      const before = Date.now()
      await keep(ONE, 'a.zip', 'four')
      await keep(ONE, 'b.zip', 'four')
      await writeFile(join(await staging.scratch(CN), 'half'), 'xx')
      expect(await folders()).to.deep.equal(new Map([[ONE, 8], [CN, 2]]))
      for await (const { changed } of staging.folders()) {
        expect(changed.getTime()).to.be.within(before - 60_000, Date.now() + 60_000)
      }
    })

    it('one folder may be cleared while its neighbours are made and kept', async () => {
      const work = Array.from({ length: 24 }, async (_, n) => {
        const folder = `spot-klines/btcusdt/1h/2024-03/g${n}-aa`
        const file = await keep(folder, 'a.zip', `content ${n}`)
        if (n % 2 === 0) return staging.clear(folder)
        expect(await read(staging, file)).to.equal(`content ${n}`)
      })
      await Promise.all(work)
      const left = [...(await folders()).keys()].filter((folder) => folder.includes('2024-03'))
      expect(left).to.have.length(12)
    })

    it('folders and keys that lead out are refused', async () => {
      const path = join(await staging.scratch(ONE), 'f')
      await writeFile(path, 'x')
      for (const bad of ['../x', '/etc', 'a/../../b', '', 'a//b', 'a\0b']) {
        await failingWith('BAD_PARTITION', () => staging.scratch(bad))
        await failingWith('BAD_PARTITION', () => staging.clear(bad))
        await failingWith('BAD_PARTITION', () => staging.keep({ key: bad, path, sha256Hex: '' }))
        await failingWith('BAD_PARTITION', () => staging.open({ key: bad, bytes: 1, sha256Hex: '' }, path))
      }
    })

    it('says how many bytes are free, or that it cannot say', async () => {
      const free = await staging.freeBytes()
      if (free !== null) expect(free).to.be.a('number').greaterThan(0)
    })
  })
}
