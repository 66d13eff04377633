import type pg from 'pg'

/** The part of the driver's connection that COPY needs; its types leave it out. */
type Wire = {
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sendCopyFail(reason: string): void
}

type Done = (error: Error | null, rows?: number) => void

/** Longer pieces cost memory, shorter ones calls. */
const PIECE_CHARS = 64 * 1024

/** A COPY as the driver's queue runs it: the same few calls by which it runs its own queries. */
class CopyIn {
  callback: Done
  readonly #statement: string
  readonly #lines: Iterable<string>
  #rows = 0
  #thrown: Error | null = null

  constructor(statement: string, lines: Iterable<string>, callback: Done) {
    this.#statement = statement
    this.#lines = lines
    this.callback = callback
  }

  submit(wire: Wire): void {
    wire.query(this.#statement)
  }

  /** Called by the socket: what is thrown here would end the process. */
  handleCopyInResponse(wire: Wire): void {
    try {
      this.#send(wire)
      wire.endCopyFrom()
    } catch (thrown) {
      this.#thrown = thrown instanceof Error ? thrown : new Error(String(thrown))
      wire.sendCopyFail('a line cannot be made')
    }
  }

  #send(wire: Wire): void {
    let piece = ''
    for (const line of this.#lines) {
      piece += line
      if (piece.length < PIECE_CHARS) continue
      wire.sendCopyFromChunk(Buffer.from(piece))
      piece = ''
    }
    if (piece !== '') wire.sendCopyFromChunk(Buffer.from(piece))
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#rows = Number(text.split(' ')[1])
  }

  handleReadyForQuery(): void {
    this.callback(null, this.#rows)
  }

  handleError(error: Error): void {
    this.callback(this.#thrown ?? error)
  }
}

/**
 * Sends lines of COPY's text format, each with its line feed; gives the rows that arrived. All of them lie in memory
 * until the server has read them.
 */
export function copyIn(client: pg.ClientBase, statement: string, lines: Iterable<string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const done: Done = (error, rows) => (error ? reject(error) : resolve(rows ?? 0))
    client.query(new CopyIn(statement, lines, done) as unknown as pg.Submittable)
  })
}
