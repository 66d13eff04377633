import { openEngine } from '../../src/adapters/engine/engine-pool.js'
import { csvOf, EngineFolder, hourLines, zipOf } from './engine-harness.js'

/* A process that tests kill: it warms one engine process up, prints its id, and keeps it busy until it dies. */
const engine = openEngine({ slots: 1, memoryBytes: 200_000_000, tempBytes: 50_000_000 })
const folder = await EngineFolder.make()
const request = await folder.request([{ zip: zipOf(csvOf(hourLines(744))) }])
const { signal } = new AbortController()
await engine.convert(request, signal)
console.log(JSON.stringify({ pids: engine.pids, folder: folder.path }))
for (;;) await engine.convert(request, signal)
