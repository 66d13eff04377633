import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { keysOf, uploadsOf } from '../../support/s3-look.js'
import { randomOf } from '../scenario.js'
import type { S3Fault } from './s3-faults.js'
import { bytesFrom, openS3Rig, type S3Rig } from './s3-rig.js'
import type { UploadToDie } from './s3-killed-child.js'

const CHILD = fileURLToPath(new URL('./s3-killed-child.js', import.meta.url))
const PARTS = 6

/** A process is killed in the middle of an upload in parts. What it left is no object, and is gone after a sweep. */
export const killed: S3Fault = {
  name: 's3-killed',
  title: 'of a process that is killed in the middle of an upload nothing is left after a sweep',
  full: 20,
  run: async ({ count, seed }) => {
    const rig = await openS3Rig()
    try {
      const random = randomOf(seed)
      const file = await rig.file(bytesFrom(random, PARTS * 8 * 1_048_576))
      const violations: string[] = []
      let faults = 0
      for (let n = 0; n < count; n++) {
        await uploadKilledAfter(1 + Math.floor(random() * (PARTS - 1)), { key: `dies/${n}`, ...file }, rig)
        const open = await uploadsOf(rig.s3, rig.url)
        if (open.length === 1) faults++
        else violations.push(`the upload that was killed is not there to be swept: ${open.join()}`)
        const early = await rig.store.sweep(60_000)
        if (early !== 0) violations.push(`a sweep of what is a minute old took ${early} uploads that are not`)
        const swept = await rig.store.sweep(-60_000)
        if (swept !== open.length) violations.push(`${swept} of ${open.length} uploads were swept`)
      }
      const left = [...(await uploadsOf(rig.s3, rig.url)), ...(await keysOf(rig.s3, rig.url))]
      if (left.length > 0) violations.push(`left: ${left.join()}`)
      return { faults, violations }
    } finally {
      await rig.close()
    }
  },
}

/** Starts an upload in a process of its own, and kills it when the server has answered so many parts. */
async function uploadKilledAfter(parts: number, file: { key: string; path: string; sha256Hex: string }, rig: S3Rig): Promise<void> {
  const { s3, proxy, url } = rig
  let seen = 0
  const child = fork(CHILD, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  proxy.choose = ({ query }) => {
    if (query.has('partNumber') && ++seen > parts) child.kill('SIGKILL')
    return null
  }
  const upload: UploadToDie = { ...file, url, s3: { ...s3, server: null, endpoint: proxy.endpoint } }
  child.send(upload)
  await gone
  proxy.choose = () => null
}
