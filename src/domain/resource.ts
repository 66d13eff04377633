/** Something that holds connections, files or processes: `await using` it, or call `close`. */
export abstract class Resource implements AsyncDisposable {
  /** Frees all; calls under way fail. Twice is the same as once. */
  abstract close(): Promise<void>

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
