import { expect } from 'chai'
import { isLegal, STATES, TRANSITIONS, type State } from '../../../src/domain/states.js'
import { newPartition, openFresh, planned, type Opened } from './catalog-fixture.js'

describe('postgres catalog: changes of state', () => {
  let catalog: Opened
  before(async () => { catalog = await openFresh() })
  after(() => catalog.drop())

  /** A row in a state that it may never have reached, as only a table without its guards takes it. */
  const rowIn = async (state: State): Promise<string> => {
    const partition = newPartition()
    await planned(catalog, [partition])
    const client = await catalog.pool.connect()
    try {
      await client.query('alter table partitions disable trigger user')
      await client.query(`update partitions set state = $2, published_key = 'k', published_etag = 'e', published_sha256 = 's',
        published_revision = 'r' where symbol = $1`, [partition.symbol, state])
    } finally {
      await client.query('alter table partitions enable trigger user')
      client.release()
    }
    return partition.symbol
  }
  const change = (symbol: string, to: State, raise: number) => catalog.pool
    .query('update partitions set state = $2, generation = generation + $3 where symbol = $1', [symbol, to, raise])
    .then(({ rowCount }) => rowCount === 1, (error: Error) => error.message)

  it('lets through exactly the transitions that the table of states allows', async () => {
    const differing: string[] = []
    for (const from of STATES) {
      for (const to of STATES) {
        if (from === to) continue
        const outcome = await change(await rowIn(from), to, 1)
        if ((outcome === true) !== isLegal(from, to)) differing.push(`${from} -> ${to}: ${outcome}`)
      }
    }
    expect(differing).to.deep.equal([])
    expect(Object.values(TRANSITIONS).flat().length, 'transitions in the table').to.be.greaterThan(25)
  })

  it('starts nothing over without a new generation', async () => {
    for (const from of STATES.filter((state) => state !== 'planned')) {
      expect(await change(await rowIn(from), 'planned', 0), from).to.match(/without a new generation/)
    }
  })

  it('lets no generation fall', async () => {
    const symbol = await rowIn('failed')
    expect(await change(symbol, 'planned', 3)).to.equal(true)
    expect(await change(symbol, 'planned', -1)).to.match(/would fall from 4 to 3/)
  })

  it('refuses a state that it does not know, a lease in part and a lease on a finished row', async () => {
    const [failed, working] = [await rowIn('failed'), await rowIn('converting')]
    const set = (what: string, symbol = failed) => catalog.pool.query(`update partitions set ${what} where symbol = $1`, [symbol])
      .then(() => 'taken', (error: { constraint?: string; message: string }) => error.constraint ?? error.message)
    expect(await set(`state = 'lost'`)).not.to.equal('taken')
    expect(await set(`lease_token = 't'`, working)).to.equal('lease_whole')
    expect(await set(`lease_token = 't', lease_holder = 'w', lease_until = now()`)).to.equal('lease_on_the_way')
    expect(await set(`published_key = null`)).to.equal('published_whole')
  })
})
