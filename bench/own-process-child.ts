import type { ApartAnswer, ApartRequest } from './own-process.js'

/*
 * The other side of `inOwnProcess`. Ctrl-C reaches parent and child, and the parent decides; whatever ends the parent
 * closes the channel, and with it this process.
 */
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit())

process.once('message', (request: ApartRequest) => {
  void answer(request).then((reply) => process.send?.(reply, () => process.disconnect()))
})

async function answer({ module, name, input }: ApartRequest): Promise<ApartAnswer> {
  try {
    const exported = (await import(module)) as Record<string, (given: unknown) => Promise<unknown>>
    const work = exported[name]
    if (!work) throw new TypeError(`${module} has no ${name}`)
    const value = await work(input)
    return { value, peakRssBytes: process.resourceUsage().maxRSS * 1_024 }
  } catch (thrown) {
    return { error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
  }
}
