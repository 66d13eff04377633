import { expect } from 'chai'
import { catalogError, verdictOf } from '../../../../src/adapters/postgres/failure.js'
import { PipelineError } from '../../../../src/domain/errors.js'

const where = { at: 'db:5432/candlelake', password: 'hunter2' }
const failure = (code: string, message = 'it failed') => Object.assign(new Error(message), { code })

describe('failures of the catalog', () => {
  const cases: readonly (readonly [string, readonly string[], string | null, boolean])[] = [
    ['a lost connection', ['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN'],
      'CATALOG_UNREACHABLE', true],
    ['a server that shuts down or starts up', ['57P01', '57P02', '57P03', '08006', '08P01', '25P03'], 'CATALOG_UNREACHABLE', true],
    ['a server without room, or that knows us not', ['53300', '28P01', '3D000'], 'CATALOG_UNREACHABLE', true],
    ['a statement that took too long or lost a deadlock', ['57014', '40P01', '40001', '25006'], 'CATALOG_UNREACHABLE', false],
    ['a full disk', ['53100'], 'DISK_FULL', false],
    ['a right that the role lacks', ['42501'], 'BAD_CONFIG', false],
    ['a row that stays locked', ['55P03'], 'LEASE_HELD', false],
    ['a statement that is wrong', ['23514', '42P01', '22P05'], null, false],
  ]
  for (const [what, codes, code, broken] of cases) {
    it(`takes ${what} (${codes.join(', ')}) for ${code ?? 'a fault of ours'}`, () => {
      for (const each of codes) expect(verdictOf(failure(each)), each).to.deep.equal({ code, broken })
    })
  }

  it('knows a lost connection by the driver\'s words', () => {
    for (const message of [
      'Connection terminated unexpectedly', 'Connection terminated due to connection timeout', 'timeout expired',
      'timeout exceeded when trying to connect', 'Query read timeout', 'Cannot use a pool after calling end on the pool',
      'Client has encountered a connection error and is not queryable', 'Client was closed and is not queryable',
    ]) expect(verdictOf(new Error(message)), message).to.deep.equal({ code: 'CATALOG_UNREACHABLE', broken: true })
    expect(verdictOf(new Error('null value in column "id"'))).to.deep.equal({ code: null, broken: false })
  })

  it('says what all addresses of a host answered', () => {
    const errors = ['refused ::1', 'refused 127.0.0.1'].map((message) => failure('ECONNREFUSED', message))
    const both = Object.assign(new AggregateError(errors), { code: 'ECONNREFUSED' })
    expect((catalogError(both, where) as PipelineError).message).to.include('refused ::1; refused 127.0.0.1')
  })

  it('holds no password, and says where and what to do', () => {
    const error = catalogError(failure('08006', 'cannot reach u:hunter2@db'), where) as PipelineError
    expect(error.message).to.include('u:***@db')
    expect(error.facts).to.deep.include({ at: where.at, sqlstate: '08006' })
    expect(error.do).to.match(/DATABASE_URL/)
  })

  it('leaves coded errors and faults of ours as they are, but takes whatever stops a connection for its failure', () => {
    const coded = new PipelineError('DISK_FULL', 'full')
    const ours = failure('23514')
    expect(catalogError(coded, where)).to.equal(coded)
    expect(catalogError(ours, where)).to.equal(ours)
    expect(catalogError(failure('XX000'), where, true)).to.have.property('code', 'CATALOG_UNREACHABLE')
  })
})
