import { expect } from 'chai'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listenForInterrupts } from '../../../src/cli/interrupts.js'
import { openOutput, type Output, type OutputFlags, type Sink } from '../../../src/cli/output.js'
import { progressKind, wantsColour } from '../../../src/cli/terminal.js'
import { PipelineError } from '../../../src/domain/errors.js'

class Stream implements Sink {
  text = ''
  fail: (error: NodeJS.ErrnoException) => void = () => undefined
  readonly columns = 40
  readonly isTTY: boolean
  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }
  write(text: string): boolean {
    this.text += text
    return true
  }
  on(_event: 'error', listener: (error: NodeJS.ErrnoException) => void): void {
    this.fail = listener
  }
}

function open(flags: Partial<OutputFlags> = {}, tty = false) {
  const [stdout, stderr] = [new Stream(tty), new Stream(tty)]
  const broken = { times: 0 }
  const out: Output = openOutput({
    flags: { json: false, quiet: false, verbose: false, color: 'auto', progress: 'auto', file: null, ...flags },
    stdout, stderr, surroundings: {}, onBrokenPipe: () => broken.times++,
  })
  return { out, stdout, stderr, broken }
}

const epipe = (): NodeJS.ErrnoException => Object.assign(new Error('EPIPE'), { code: 'EPIPE' })

describe('output', () => {
  it('keeps results apart from words', () => {
    const { out, stdout, stderr } = open()
    out.result('one', 'two')
    out.note('a word')
    out.error(new PipelineError('BAD_RANGE', 'x', { at: '--to', do: 'y' }))
    expect(stdout.text).to.equal('one\ntwo\n')
    expect(stderr.text).to.equal('a word\nerror BAD_RANGE: x\n  at --to  do: y\n')
  })

  it('says errors and results only when quiet', () => {
    const { out, stdout, stderr } = open({ quiet: true })
    out.result('one')
    out.note('a word')
    out.error(new PipelineError('BAD_RANGE', 'x'))
    expect([stdout.text, stderr.text]).to.deep.equal(['one\n', 'error BAD_RANGE: x\n'])
  })

  it('prints errors as one object under --json, and big integers as text', () => {
    const { out, stdout, stderr } = open({ json: true })
    out.resultJson({ fromUs: 2n ** 60n, at: new Date(0) })
    out.error(new PipelineError('BAD_RANGE', 'x\ny'))
    expect(stdout.text).to.equal('{"fromUs":"1152921504606846976","at":"1970-01-01T00:00:00.000Z"}\n')
    expect(JSON.parse(stderr.text)).to.include({ v: 1, type: 'error', code: 'BAD_RANGE', message: 'x\ny' })
    expect(stderr.text.split('\n').length).to.equal(2)
  })

  it('has a width on a terminal only: pipes cut nothing', () => {
    expect(open({}, true).out.width).to.equal(40)
    expect(open({}, false).out.width).to.equal(null)
  })

  it('writes the result to a file, without colours', () => {
    const folder = mkdtempSync(join(tmpdir(), 'candlelake-test-'))
    try {
      const file = join(folder, 'result')
      const { out, stdout } = open({ file }, true)
      out.result(out.paint.out.red('one'))
      out.close()
      expect([readFileSync(file, 'utf8'), stdout.text, out.width]).to.deep.equal(['one\n', '', null])
      expect(() => open({ file: join(folder, 'none', 'x') })).to.throw(PipelineError).with.property('code', 'BAD_USAGE')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('drops what nobody reads any more, and says so once', () => {
    const { out, stdout, broken } = open()
    out.result('one')
    stdout.fail(epipe())
    out.result('two')
    expect([stdout.text, broken.times]).to.deep.equal(['one\n', 1])
  })

  it('does not take other failures of a stream for a reader that left', () => {
    expect(() => open().stdout.fail(Object.assign(new Error('EBADF'), { code: 'EBADF' }))).to.throw('EBADF')
  })
})

describe('terminal', () => {
  const tty = { isTTY: true, term: 'xterm' }
  for (const [title, stream, flag, want] of [
    ['a terminal has colours', tty, 'auto', true],
    ['a pipe has none', { isTTY: false }, 'auto', false],
    ['a dumb terminal has none', { ...tty, term: 'dumb' }, 'auto', false],
    ['NO_COLOR takes them', { ...tty, noColor: '1' }, 'auto', false],
    ['an empty NO_COLOR does not', { ...tty, noColor: '' }, 'auto', true],
    ['FORCE_COLOR gives them to a pipe', { isTTY: false, forceColor: '1' }, 'auto', true],
    ['FORCE_COLOR=0 takes them', { ...tty, forceColor: '0' }, 'auto', false],
    ['NO_COLOR wins over FORCE_COLOR', { ...tty, noColor: '1', forceColor: '1' }, 'auto', false],
    ['--color wins over NO_COLOR', { isTTY: false, noColor: '1' }, 'always', true],
    ['--color never takes them', tty, 'never', false],
  ] as const) {
    it(`${title}`, () => expect(wantsColour(stream, flag)).to.equal(want))
  }

  it('gets bars, a pipe lines, unless told otherwise', () => {
    expect(progressKind(tty, 'auto')).to.equal('tty')
    expect(progressKind({ ...tty, term: 'dumb' }, 'auto')).to.equal('plain')
    expect(progressKind({ isTTY: false }, 'auto')).to.equal('plain')
    expect(progressKind({ isTTY: false }, 'tty')).to.equal('tty')
    expect(progressKind(tty, 'none')).to.equal('none')
  })
})

describe('interrupts', () => {
  function listen() {
    const listeners = new Map<string, () => void>()
    const seen = { first: [] as number[], exits: [] as number[] }
    const interrupts = listenForInterrupts({
      source: { on: (signal, listener) => listeners.set(signal, listener), off: (signal) => listeners.delete(signal) },
      onFirst: ({ code }) => seen.first.push(code),
      exit: (code) => seen.exits.push(code),
    })
    return { interrupts, listeners, seen }
  }

  it('ask to end the first time, and end the second', () => {
    const { interrupts, listeners, seen } = listen()
    expect([interrupts.signal.aborted, interrupts.ending]).to.deep.equal([false, null])
    listeners.get('SIGINT')?.()
    expect([interrupts.signal.aborted, interrupts.ending?.code, seen.exits]).to.deep.equal([true, 130, []])
    listeners.get('SIGTERM')?.()
    expect(seen).to.deep.equal({ first: [130], exits: [143] })
    expect(interrupts.ending?.code).to.equal(130)
  })

  it('are not listened for any more afterwards', () => {
    const { interrupts, listeners } = listen()
    expect(listeners.size).to.equal(3)
    interrupts.stop()
    expect(listeners.size).to.equal(0)
  })
})
