import { expect } from 'chai'
import { escapeControls } from '../../../src/cli/render/escape.js'
import { renderTable } from '../../../src/cli/render/table.js'
import { cellsOf, clipEnd, clipMiddle, padEnd, padStart } from '../../../src/cli/render/text.js'

describe('text in cells', () => {
  it('counts wide characters twice', () => {
    expect(cellsOf('币安人生USDT')).to.equal(12)
    expect(padEnd('币安', 6)).to.equal('币安  ')
    expect(padStart('币安', 6)).to.equal('  币安')
  })

  it('gives up the middle of names', () => {
    expect(clipMiddle('spot-klines/BTCUSDT/1h/2024-01', 16)).to.equal('spot-kli…2024-01')
    expect(clipMiddle('spot-klines/BTCUSDT/1h/2024-01', 30)).to.equal('spot-klines/BTCUSDT/1h/2024-01')
    expect(clipMiddle('币安人生USDT', 9)).to.equal('币安…USDT')
    expect(clipMiddle('abc', 1)).to.equal('…')
    expect(clipMiddle('abc', 0)).to.equal('')
  })

  it('never gives more cells than there are', () => {
    for (let cells = 0; cells < 20; cells++) {
      expect(cellsOf(clipMiddle('spot-klines/币安人生USDT', cells))).to.be.at.most(cells)
      expect(cellsOf(clipEnd('spot-klines/币安人生USDT', cells))).to.be.at.most(cells)
    }
  })

  it('escapes what a terminal would obey and what nobody sees', () => {
    expect(escapeControls('a\u001b[2Jb\r\n\u0007\u009b')).to.equal('a\\u001b[2Jb\\u000d\\u000a\\u0007\\u009b')
    expect(escapeControls('\u202Eevil\u200b\u2028')).to.equal('\\u202eevil\\u200b\\u2028')
    expect(escapeControls('币安人生USDT …')).to.equal('币安人生USDT …')
  })

  it('sets tables by cells', () => {
    const columns = [{ title: 'symbol', align: 'left' }, { title: 'rows', align: 'right' }] as const
    expect(renderTable(columns, [['币安人生USDT', '7'], ['BTC\u001b', '1,234']])).to.deep.equal([
      'symbol         rows',
      '币安人生USDT      7',
      'BTC\\u001b     1,234',
    ])
  })
})
