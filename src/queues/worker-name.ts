import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'

/** A name for what works here, of no other process: host, process id and a random part. */
export const workerName = (): string =>
  `${hostname().slice(0, 40)}-${process.pid}-${randomBytes(3).toString('hex')}`
