import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { inflateRawSync } from 'node:zlib'
import { Open } from 'unzipper'
import { checksumText, sha256Of, zipMember } from '../../../src/archive-server/zip-member.js'

const CONTENT = Buffer.from('1733011200000,96000.00000000\n'.repeat(1000))

describe('zipMember', () => {
  it('writes one deflated member with its sizes in front: no descriptor, no extra fields, no flags', async () => {
    const zip = await zipMember({ name: 'BTCUSDT-1h-2024-12.csv', content: CONTENT })
    const central = zip.readUInt32LE(zip.length - 6)
    expect(zip.readUInt32LE(0)).to.equal(0x04034b50)
    expect(zip.readUInt16LE(4), 'version').to.equal(20)
    expect(zip.readUInt16LE(6), 'flags').to.equal(0)
    expect(zip.readUInt16LE(8), 'method').to.equal(8)
    expect(zip.readUInt32LE(22), 'size').to.equal(CONTENT.length)
    expect(zip.readUInt16LE(28), 'extra field').to.equal(0)
    const start = 30 + zip.readUInt16LE(26)
    expect(start + zip.readUInt32LE(18), 'the directory follows the data at once').to.equal(central)
    expect(inflateRawSync(zip.subarray(start, central)).equals(CONTENT)).to.equal(true)
    expect([zip.readUInt32LE(central), zip.readUInt16LE(central + 8), zip.readUInt16LE(central + 30)])
      .to.deep.equal([0x02014b50, 0, 0])
    expect(zip.readUInt16LE(zip.length - 12), 'members').to.equal(1)
  })

  it('is read back by another reader, also under a name that is not ASCII', async () => {
    const directory = await Open.buffer(await zipMember({ name: '币安人生USDT-1m-2025-10.csv', content: CONTENT }))
    expect(directory.files.map((file) => file.path)).to.deep.equal(['币安人生USDT-1m-2025-10.csv'])
    expect((await directory.files[0]?.buffer())?.equals(CONTENT)).to.equal(true)
  })

  it('gives the same bytes in every time zone', async () => {
    const here = sha256Of(await zipMember({ name: 'a.csv', content: CONTENT }))
    const module = JSON.stringify(new URL('../../../src/archive-server/zip-member.js', import.meta.url))
    const script = `import { zipMember, sha256Of } from ${module}
      const content = Buffer.from(${JSON.stringify(CONTENT.toString())})
      process.stdout.write(sha256Of(await zipMember({ name: 'a.csv', content })))`
    for (const zone of ['America/St_Johns', 'Asia/Kathmandu']) {
      const args = ['--input-type=module', '--eval', script]
      expect(execFileSync(process.execPath, args, { env: { TZ: zone }, encoding: 'utf8' }), zone).to.equal(here)
    }
  })

  it('writes a CHECKSUM as digest, two spaces and name, without a newline', () => {
    const digest = sha256Of(CONTENT)
    expect(checksumText(digest, 'a.zip')).to.equal(`${digest}  a.zip`).and.have.lengthOf(64 + 2 + 5)
  })
})
