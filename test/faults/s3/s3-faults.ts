import type { Outcome } from '../scenario.js'
import { expired } from './s3-expired.js'
import { killed } from './s3-killed.js'
import { lostAnswers } from './s3-lost-answers.js'
import { slowDown } from './s3-slow-down.js'
import { spoiltAnswers } from './s3-spoilt-answers.js'

/** A fault between the adapter and a real S3 server. `faults` of the outcome is what really happened, as the proxy saw it. */
export type S3Fault = {
  readonly name: string
  readonly title: string
  /** How often it is provoked in the campaign; the suite provokes it a tenth of that. */
  readonly full: number
  readonly run: (o: { count: number; seed: number }) => Promise<Outcome>
}

export const S3_FAULTS: readonly S3Fault[] = [slowDown, lostAnswers, spoiltAnswers, expired, killed]
