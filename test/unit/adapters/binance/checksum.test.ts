import { expect } from 'chai'
import { parseChecksum } from '../../../../src/adapters/binance/checksum.js'

const HEX = 'ab'.repeat(32)
const NAME = 'BTCUSDT-1h-2024-01.zip'

describe('parseChecksum', () => {
  const good: Record<string, string> = {
    'the archive\'s form, without a newline at the end': `${HEX}  ${NAME}`,
    'one space, a newline': `${HEX} ${NAME}\n`,
    'a tab and CRLF': `${HEX}\t${NAME}\r\n`,
    'the binary mark': `${HEX} *${NAME}`,
    'capital digits': `${HEX.toUpperCase()}  ${NAME}`,
    'a byte order mark': `\uFEFF${HEX}  ${NAME}`,
    'a line for another file before it': `${'cd'.repeat(32)}  other.zip\n${HEX}  ${NAME}\n`,
  }
  for (const [title, text] of Object.entries(good)) {
    it(`reads ${title}`, () => expect(parseChecksum(text, NAME)).to.deep.equal({ kind: 'digest', hex: HEX }))
  }

  it('names the other file', () => {
    expect(parseChecksum(`${HEX}  ETHUSDT-1h-2024-01.zip`, NAME)).to.deep.equal({
      kind: 'foreign',
      name: 'ETHUSDT-1h-2024-01.zip',
    })
    expect(parseChecksum(`${HEX}  a/${NAME}`, NAME)).to.deep.equal({ kind: 'foreign', name: `a/${NAME}` })
  })

  const bad = ['', HEX, NAME, `${HEX.slice(1)}  ${NAME}`, `${HEX}0  ${NAME}`, '<html>404</html>', `${HEX}${NAME}`]
  for (const text of bad) {
    it(`makes nothing of ${JSON.stringify(text.slice(0, 20))} (${text.length} characters)`, () => {
      expect(parseChecksum(text, NAME)).to.deep.equal({ kind: 'unreadable' })
    })
  }
})
