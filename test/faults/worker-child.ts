import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Readable } from 'node:stream'

const ENTRY = fileURLToPath(new URL('./worker-process.js', import.meta.url))

/** A line that a worker wrote: `event` is `ready`, `job`, `log` (with `name`) or `failpoint`. */
export type Line = Readonly<Record<string, unknown>> & {
  readonly event: string
  readonly name?: string
  readonly stage?: string
  readonly outcome?: string
}

export type Ending = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** A worker in a process of its own, and everything that it has said. */
export class WorkerChild {
  readonly lines: Line[] = []
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #listeners = new Set<() => void>()
  #text = ''
  #alive = true

  constructor(env: Readonly<Record<string, string>>, cwd: string) {
    this.#child = spawn(process.execPath, [ENTRY], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#read(this.#child.stdout)
    this.#read(this.#child.stderr)
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#alive = false
        for (const tell of this.#listeners) tell()
        resolve({ code, signal })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Everything that it wrote, as it wrote it. */
  get text(): string {
    return this.#text
  }

  /** The kernel's letter for its state: `T` is stopped. */
  get state(): string {
    return /\) (\w)/.exec(readFileSync(`/proc/${this.pid}/stat`, 'utf8'))?.[1] ?? ''
  }

  count(matches: (line: Line) => boolean): number {
    return this.lines.filter(matches).length
  }

  /** The first line, early or yet to come, that matches; null when it has ended without one or `ms` have passed. */
  async line(matches: (line: Line) => boolean, ms: number): Promise<Line | null> {
    const found = (): Line | undefined => this.lines.find(matches)
    return await new Promise((resolve) => {
      const finish = (line: Line | null): void => {
        clearTimeout(timer)
        this.#listeners.delete(look)
        resolve(line)
      }
      const look = (): void => {
        const line = found()
        if (line ?? !this.#alive) finish(line ?? null)
      }
      const timer = setTimeout(() => finish(found() ?? null), ms)
      this.#listeners.add(look)
      look()
    })
  }

  /** @throws when the process ends before it works */
  async ready(): Promise<void> {
    if (await this.line(({ event }) => event === 'ready', 60_000)) return
    throw new Error(`a worker did not start:\n${this.#text.slice(-3_000)}`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Asks it to finish what it has in hand; after 20 s it is killed. */
  async drain(): Promise<void> {
    if (!this.#alive) return
    this.signal('SIGCONT')
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), 20_000)
    await this.ended
    clearTimeout(timer)
  }

  async kill(): Promise<void> {
    if (this.#alive) this.signal('SIGKILL')
    await this.ended
  }

  #read(stream: Readable | null): void {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      this.#text += piece
      const lines = (rest + piece).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line.startsWith('{')) this.lines.push(parse(line))
      for (const tell of this.#listeners) tell()
    })
  }
}

function parse(line: string): Line {
  try {
    return JSON.parse(line) as Line
  } catch {
    return { event: 'unreadable', line }
  }
}
