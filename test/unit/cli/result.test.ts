import { expect } from 'chai'
import { isoOf, resultLines, shownValue } from '../../../src/cli/render/result.js'
import type { ResultColumn } from '../../../src/domain/ports/query-engine.js'

const column = (name: string, kind: ResultColumn['kind']): ResultColumn => ({ name, kind, type: kind })

describe('answers as they are printed', () => {
  it('instants are ISO 8601 in UTC, with as many digits as there are', () => {
    expect(isoOf(0n)).to.equal('1970-01-01T00:00:00Z')
    expect(isoOf(1_704_067_200_123_456n)).to.equal('2024-01-01T00:00:00.123456Z')
    expect(isoOf(1_704_067_200_500_000n)).to.equal('2024-01-01T00:00:00.5Z')
    expect(isoOf(-1n)).to.equal('1969-12-31T23:59:59.999999Z')
    expect(isoOf(-1_000_000n)).to.equal('1969-12-31T23:59:59Z')
    expect(isoOf(9_223_372_036_854_775_807n)).to.equal('9223372036854775807')
  })

  it('other values are what they are, and nothing is empty', () => {
    expect(shownValue(null, 'double')).to.equal('')
    expect(shownValue(1.5, 'double')).to.equal('1.5')
    expect(shownValue(2n ** 60n, 'bigint')).to.equal('1152921504606846976')
    expect(shownValue(true, 'boolean')).to.equal('true')
    expect(shownValue([1, 'a'], 'json')).to.equal('[1,"a"]')
  })

  it('CSV quotes what would be read otherwise, and has its head once', () => {
    const columns = [column('a,b', 'text'), column('n', 'double')]
    const rows = [{ 'a,b': 'say "no"', n: 1 }, { 'a,b': 'two\nlines', n: null }]
    expect(resultLines('csv', columns, rows, true)).to.deep.equal(['"a,b",n', '"say ""no""",1', '"two\nlines",'])
    expect(resultLines('csv', columns, [], false)).to.deep.equal([])
  })

  it('tables and Markdown escape what would spoil a terminal or a cell', () => {
    const rows = [{ a: '\u001b[31mred|blue' }]
    expect(resultLines('table', [column('a', 'text')], rows, true)[1]).to.equal('\\u001b[31mred|blue')
    expect(resultLines('markdown', [column('a', 'text')], rows, true)).to.deep.equal([
      '| a |', '|---|', '| \\u001b[31mred\\|blue |',
    ])
  })

  it('JSON lines keep numbers, and text for what a number cannot hold', () => {
    const columns = [column('t', 'instant'), column('n', 'double'), column('big', 'bigint')]
    const [line] = resultLines('jsonl', columns, [{ t: 0n, n: Number.NaN, big: 2n ** 60n }], true)
    expect(JSON.parse(line ?? '')).to.deep.equal({ t: '1970-01-01T00:00:00Z', n: 'NaN', big: '1152921504606846976' })
  })
})
