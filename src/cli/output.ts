import { closeSync, openSync, writeSync } from 'node:fs'
import { errnoOf } from '../domain/errno.js'
import { PipelineError } from '../domain/errors.js'
import { errorJson, renderError } from './render/error.js'
import { paintOf, type Paint } from './render/paint.js'
import { progressKind, wantsColour, type ColourFlag, type ProgressFlag } from './terminal.js'

export type OutputFlags = {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly color: ColourFlag
  readonly progress: ProgressFlag
  /** A file that takes the result in place of stdout. */
  readonly file: string | null
}

/** A stream as far as output needs it. */
export interface Sink {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly writableNeedDrain?: boolean
  write(text: string | Uint8Array): boolean
  once?(event: 'drain' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
}

type Surroundings = { readonly noColor?: string; readonly forceColor?: string; readonly term?: string }

/** Where a command's words go: results to stdout or a file, all else to stderr. */
export interface Output extends OutputFlags {
  readonly live: 'tty' | 'plain' | 'none'
  readonly paint: { readonly out: Paint; readonly err: Paint }
  /** Cells of the terminal that stdout is; null for a pipe or a file, which cut nothing. */
  readonly width: number | null
  /** Lines of the result. */
  result(...lines: readonly string[]): void
  /** A part of a result that is not text. */
  resultBytes(bytes: Uint8Array): void
  /** Resolves when more of a result can be taken: a reader may be slower than we are. */
  drained(): Promise<void>
  /** The result as one line of JSON. */
  resultJson(value: unknown): void
  /** Lines for a person, on stderr; not with `-q`. */
  note(...lines: readonly string[]): void
  /** An error, in words or with `--json` as an object. */
  error(thrown: unknown): void
  /** While bars are on the screen, lines for stderr go through whoever draws them; null when they are gone. */
  divert(print: ((lines: string) => void) | null): void
  close(): void
}

/**
 * The output of one command. A reader that went away (EPIPE) ends a reading command by `onBrokenPipe`; a working one
 * goes on, and what it says after that is dropped.
 */
export function openOutput(o: {
  flags: OutputFlags; stdout: Sink; stderr: Sink; surroundings: Surroundings; onBrokenPipe: () => void
}): Output {
  const { flags, stdout, stderr } = o
  const file = flags.file === null ? null : openFile(flags.file)
  const write = writerOf(stdout, o.onBrokenPipe)
  const writeErr = writerOf(stderr, () => undefined)
  const facts = (sink: Sink) => ({ ...o.surroundings, isTTY: sink.isTTY === true })
  const paint = {
    out: paintOf(file === null && wantsColour(facts(stdout), flags.color)),
    err: paintOf(wantsColour(facts(stderr), flags.color)),
  }
  let print: ((lines: string) => void) | null = null
  const say = (lines: readonly string[]): void =>
    print ? print(lines.join('\n')) : writeErr(lines.map((line) => `${line}\n`).join(''))
  const put = (text: string | Uint8Array): void => {
    if (file === null) write(text)
    else writeAll(file, typeof text === 'string' ? Buffer.from(text) : text)
  }
  return {
    ...flags,
    live: progressKind(facts(stderr), flags.progress),
    paint,
    width: file === null && stdout.isTTY === true ? (stdout.columns ?? 80) : null,
    result: (...lines) => put(lines.map((line) => `${line}\n`).join('')),
    resultBytes: (bytes) => put(bytes),
    drained: () => drainOf(stdout, file !== null),
    resultJson: (value) => put(`${toLine(value)}\n`),
    note: (...lines) => {
      if (!flags.quiet) say(lines)
    },
    error: (thrown) =>
      say(flags.json ? [toLine(errorJson(thrown))] : renderError(thrown, { verbose: flags.verbose, paint: paint.err })),
    divert: (to) => {
      print = to
    },
    close: () => {
      if (file !== null) closeSync(file)
    },
  }
}

/** JSON on one line; integers beyond 2^53 and bigints are decimal strings. */
export const toLine = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v))

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}

async function drainOf(sink: Sink, idle: boolean): Promise<void> {
  if (idle || sink.writableNeedDrain !== true) return
  await new Promise<void>((resolve) => {
    sink.once?.('drain', resolve)
    sink.once?.('close', resolve)
  })
}

function writerOf(sink: Sink, onBrokenPipe: () => void): (text: string | Uint8Array) => void {
  let broken = false
  sink.on('error', (error) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
    broken = true
    onBrokenPipe()
  })
  return (text) => {
    if (!broken && text !== '') sink.write(text)
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (thrown) {
    const why = errnoOf(thrown) ?? 'unknown reason'
    throw new PipelineError(
      'BAD_USAGE',
      `the file cannot be written (${why})`,
      { at: '-o', do: 'name another one' },
      thrown,
    )
  }
}
