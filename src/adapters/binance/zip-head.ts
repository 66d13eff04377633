const SHOWN = 200
const MAGIC = ['PK\x03\x04', 'PK\x05\x06']

/** The first bytes of a body, enough to tell a ZIP (also an empty one) from a page of text. */
export class ZipHead {
  #bytes = Buffer.alloc(0)

  /** False once the bytes so far show that this is no ZIP and there are enough of them to show to a person. */
  push(chunk: Buffer): boolean {
    const room = SHOWN - this.#bytes.length
    if (room > 0) this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, room)])
    return this.isZip || this.#bytes.length < SHOWN
  }

  get isZip(): boolean {
    return MAGIC.includes(this.#bytes.toString('latin1', 0, 4))
  }

  /** At most 200 bytes, all but printable ASCII as `\xNN`. */
  get shown(): string {
    const escaped = (c: string): string => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`
    return this.#bytes.toString('latin1').replace(/[^\x20-\x5b\x5d-\x7e]/g, escaped)
  }
}
