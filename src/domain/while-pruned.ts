import { errnoOf } from './errno.js'

const TRIES = 20

/**
 * Runs what makes a folder and uses it, again where others that remove empty folders took one away in between. The error
 * is then ENOENT; or ENOTDIR, when a parent went while Node looked why it could not be made (12 of 12,000 times with four
 * makers in two parents).
 */
export async function whilePruned<T>(work: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await work()
    } catch (thrown) {
      const errno = errnoOf(thrown)
      if ((errno !== 'ENOENT' && errno !== 'ENOTDIR') || count === TRIES) throw thrown
    }
  }
}
