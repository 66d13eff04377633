// Asks the process of this container, a worker or the server, how it is: exit code 0 if it says well. /livez only whether
// its event loop turns, so that no supervisor ends workers for a Redis that is away; /readyz also catalog and queue, and
// of a worker the lake, and whether it takes jobs.
const port = process.env.METRICS_PORT || process.env.SERVER_PORT || '3000'
const path = process.argv[2] ?? '/livez'
try {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(4_000) })
  console.log(answer.status, (await answer.text()).trim())
  process.exitCode = answer.ok ? 0 : 1
} catch (thrown) {
  console.log(`no answer on port ${port}:`, thrown.cause?.code ?? thrown.name)
  process.exitCode = 1
}
