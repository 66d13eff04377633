import { expect } from 'chai'
import { authorizationOf } from '../../../src/domain/url-credentials.js'

const userOf = (address: string): string | null => {
  const authorization = authorizationOf(new URL(address))
  return authorization && Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString()
}

describe('credentials in an address', () => {
  it('are a name, a password or both, unescaped', () => {
    expect(userOf('https://host/x')).to.equal(null)
    expect(userOf('https://ann@host/x')).to.equal('ann:')
    expect(userOf('https://:of%20host@host/x')).to.equal(':of host')
    expect(userOf('https://ann:b%3Ac@host/x')).to.equal('ann:b:c')
  })

  it('with a bare % are what is written', () => {
    expect(userOf('https://ann:100%zz@host/x')).to.equal('ann:100%zz')
  })
})
