import { fork, type ChildProcess } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { PolarsAnswer, PolarsRequest } from './polars-child.js'

const ENTRY = fileURLToPath(new URL('./polars-child.js', import.meta.url))

/** nodejs-polars in processes of one thread each, a request at a time each: the same shape as the engine's slots. */
export type PolarsSlots = {
  readonly version: string
  readonly pids: readonly number[]
  /** Runs all requests, each in the slot that is free first. */
  run(requests: readonly PolarsRequest[]): Promise<void>
  close(): Promise<void>
}

/** `folder` holds `node_modules` with nodejs-polars; null is this project. */
export function openPolars(slots: number, folder: string | null): PolarsSlots {
  const from = folder === null ? import.meta.url : pathToFileURL(join(folder, 'package.json')).href
  const version = versionOf(from)
  const children = Array.from({ length: slots }, () =>
    fork(ENTRY, [from], { env: { ...process.env, POLARS_MAX_THREADS: '1' }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
  return {
    version,
    pids: children.flatMap((child) => child.pid ?? []),
    run: async (requests) => {
      const left = [...requests]
      await Promise.all(children.map(async (child) => {
        for (let request = left.shift(); request; request = left.shift()) await ask(child, request)
      }))
    },
    close: async () => {
      await Promise.all(children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGKILL')
        await gone
      }))
    },
  }
}

/** npm leaves out a platform package whose `engines` this Node does not meet, and says nothing. */
function versionOf(from: string): string {
  const require = createRequire(from)
  const { version } = require('nodejs-polars/package.json') as { version: string }
  try {
    require('nodejs-polars')
  } catch (thrown) {
    const platform = /'(nodejs-polars-[^']+)'/.exec(String(thrown))?.[1] ?? 'its platform package'
    throw new Error(`nodejs-polars ${version} came without ${platform}: npm install --no-save ${platform}@${version}`, { cause: thrown })
  }
  return version
}

async function ask(child: ChildProcess, request: PolarsRequest): Promise<void> {
  const answer = await new Promise<PolarsAnswer>((resolve, reject) => {
    const onExit = (): void => reject(new Error('the process of nodejs-polars ended'))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      resolve(message as PolarsAnswer)
    })
    child.send(request)
  })
  if ('error' in answer) throw new Error(answer.error)
}
