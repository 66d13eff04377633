import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { envExample } from '../../../src/config/env-example.js'
import { SETTING_NAMES } from '../../../src/config/settings.js'

const file = (): string => readFileSync('.env.example', 'utf8')

describe('.env.example', () => {
  it('is what the table of settings says', () => {
    expect(file()).to.equal(envExample())
  })

  it('names every setting once, with an explanation above it', () => {
    const lines = file().split('\n')
    const named = lines.flatMap((line, i) => {
      const name = /^# ([A-Z0-9_]+)=/.exec(line)?.[1]
      return name ? [{ name, explained: /^# [a-z]/i.test(lines[i - 1] ?? '') }] : []
    })
    expect(named.map(({ name }) => name)).to.deep.equal([...SETTING_NAMES])
    expect(named.filter(({ explained }) => !explained)).to.deep.equal([])
  })
})
