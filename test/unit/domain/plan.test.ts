import { expect } from 'chai'
import { parsePartitionKey, partitionKeyOf } from '../../../src/domain/partition.js'
import { planPartition, planPartitions, sourcesChanged, type PlannedRow, type WantedPartition } from '../../../src/domain/plan.js'
import type { WantedSource } from '../../../src/domain/source.js'
import { FINISHED, isLegal, STATES, UNFINISHED, type State } from '../../../src/domain/states.js'

const partition = parsePartitionKey('spot-klines/BTCUSDT/1h/2024-01')
const source = (etag: string | null, bytes: number | null = 10): WantedSource => ({ key: 'k', etag, bytes, lastModified: null })
const wanted = (...sources: WantedSource[]): WantedPartition => ({ partition, sources, bounds: null })
const row = (state: State, etag: string | null = 'a'): PlannedRow => ({ generation: 3, state, sources: [source(etag)], bounds: null, leased: false })
const decide = (state: State, w = wanted(source('a'))): string => {
  const d = planPartition(w, row(state))
  return d.kind === 'start' ? `start ${d.reason}` : d.kind === 'join' ? `join ${d.stage}` : 'done'
}

describe('plan', () => {
  it('an unknown partition is started', () => {
    expect(planPartition(wanted(), undefined)).to.deep.equal({ kind: 'start', from: null, reason: 'new' })
  })

  it('what is on its way is joined at its stage, whatever is asked', () => {
    expect(UNFINISHED.map((state) => decide(state))).to.deep.equal(['join download', 'join download', 'join convert', 'join upload', 'join verify'])
  })

  it('what is verified or quarantined stays until its source changes', () => {
    expect([decide('verified'), decide('quarantined')]).to.deep.equal(['done', 'done'])
    expect(decide('verified', wanted(source('b')))).to.equal('start source_changed')
    expect(decide('quarantined', wanted(source('a', 11)))).to.equal('start source_changed')
  })

  it('what may be better now is looked at again', () => {
    expect(decide('provisional')).to.equal('start look_again')
    expect(decide('late')).to.equal('start listed_now')
    expect(decide('late', wanted())).to.equal('start look_again')
    expect([decide('absent'), decide('absent', wanted())]).to.deep.equal(['start listed_now', 'done'])
    expect([decide('failed'), decide('cancelled')]).to.deep.equal(['start failed_before', 'start failed_before'])
  })

  it('force starts what is finished and leaves what is on its way', () => {
    expect(planPartition(wanted(source('a')), row('verified'), true)).to.deep.equal({ kind: 'start', from: 3, reason: 'forced' })
    expect(planPartition(wanted(source('a')), row('converting'), true).kind).to.equal('join')
  })

  it('unknown etags and sizes prove no change', () => {
    expect(sourcesChanged([source(null, null)], [source('a')])).to.equal(false)
    expect(sourcesChanged([source('b', null)], [source(null, null)])).to.equal(false)
    expect(sourcesChanged([], [source('a')])).to.equal(false)
  })

  it('a partition that is wanted twice is planned once', () => {
    const plan = planPartitions([wanted(), wanted()], new Map([[partitionKeyOf(partition), row('verified')]]))
    expect(plan.map(({ decision }) => decision.kind)).to.deep.equal(['done'])
  })
})

describe('states', () => {
  it('every finished state can only be planned again', () => {
    for (const from of FINISHED) expect(STATES.filter((to) => isLegal(from, to)), from).to.deep.equal(['planned'])
  })

  it('publication is reached from verifying only', () => {
    expect(STATES.filter((from) => isLegal(from, 'verified'))).to.deep.equal(['verifying'])
    expect(STATES.filter((from) => isLegal(from, 'provisional'))).to.deep.equal(['verifying'])
  })
})
