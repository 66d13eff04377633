import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange } from './exchange.js'

/** A body in pieces, read only as fast as the other side takes them. */
export type Body = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** How often a second a body with a bandwidth limit is fed. */
const TICKS = 50

type Stop = { readonly after: number; readonly how: 'cut' | 'stall' | 'reset' }

/** Sends a body of `length` bytes whose head is written, with the faults that strike bodies. */
export async function transmit(x: Exchange, length: number, body: Body): Promise<void> {
  const bytesPerSecond = x.faults.strike('bytesPerSecond', x.logged.path)?.bytesPerSecond ?? Infinity
  const stop = stopOf(x, length)
  const limit = stop?.after ?? length
  const startedMs = performance.now()
  if (limit > 0) {
    for await (const chunk of body) {
      const wanted = chunk.subarray(0, limit - x.logged.bytes)
      for (const piece of piecesOf(wanted, bytesPerSecond)) {
        await write(x, piece)
        const aheadMs = (x.logged.bytes / bytesPerSecond) * 1000 - (performance.now() - startedMs)
        if (aheadMs > 0) await sleep(aheadMs, undefined, { signal: x.signal })
      }
      if (x.logged.bytes >= limit) break
    }
  }
  if (stop !== null) await halt(x, stop)
  // The file shrank under us: the promised length cannot be kept, and nobody must take this for the whole.
  else if (x.logged.bytes < length) x.res.destroy()
  else x.res.end()
}

/** Where this body will end before its time, if a fault says so: a reset before a stall before a cut. */
function stopOf(x: Exchange, length: number): Stop | null {
  const path = x.logged.path
  const reset = x.faults.strike('dropFrom', path, (rule) => within(rule.dropFrom, length))
  if (reset?.dropFrom !== undefined) return { after: reset.dropFrom, how: 'reset' }
  const stall = x.faults.strike('stallAfterBytes', path, (rule) => (rule.stallAfterBytes ?? length) < length)
  if (stall?.stallAfterBytes !== undefined) return { after: stall.stallAfterBytes, how: 'stall' }
  return x.faults.strike('truncate', path) === null ? null : { after: Math.floor(length / 2), how: 'cut' }
}

/** 0 is not a place in a body: it means a reset before the status line, which the router sees to. */
const within = (after: number | undefined, length: number): boolean =>
  after !== undefined && after > 0 && after < length

async function halt(x: Exchange, stop: Stop): Promise<void> {
  x.res.flushHeaders()
  if (stop.how === 'stall') return
  // What was written must have left, or a reset would take it away again.
  await new Promise<void>((resolve) => x.res.socket?.write('', () => resolve()) ?? resolve())
  if (stop.how === 'reset') x.res.socket?.resetAndDestroy()
  else x.res.socket?.destroySoon()
}

async function write(x: Exchange, piece: Uint8Array): Promise<void> {
  x.signal.throwIfAborted()
  const room = x.res.write(piece)
  x.logged.bytes += piece.length
  if (!room) await once(x.res, 'drain', { signal: x.signal })
}

function* piecesOf(chunk: Uint8Array, bytesPerSecond: number): Generator<Uint8Array> {
  const size = Math.max(1, Math.ceil(bytesPerSecond / TICKS))
  if (size >= chunk.length) yield chunk
  else for (let at = 0; at < chunk.length; at += size) yield chunk.subarray(at, at + size)
}
