import { BlockList, isIP } from 'node:net'
import { PipelineError } from '../domain/errors.js'

/** What HTTP basic authentication asks for. */
export type Credentials = { readonly user: string; readonly password: string }

/** The shortest password that another machine may try. */
export const PASSWORD_MIN_LENGTH = 12

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
loopback.addSubnet('::ffff:127.0.0.0', 104, 'ipv6')

/** Whether an address or `localhost` is reached from this machine only; every other name counts as reachable. */
export function isLoopback(host: string): boolean {
  const bare = bareHost(host)
  const family = isIP(bare)
  return family === 0 ? bare.toLowerCase() === 'localhost' : loopback.check(bare, family === 4 ? 'ipv4' : 'ipv6')
}

/** `[::1]` without its brackets; other hosts as they are. */
export const bareHost = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

/**
 * Lets a server listen where only this machine reaches it, or where a password guards it.
 * @throws {UNSAFE_BIND} another address without credentials, or with a password of less than 12 characters
 * @throws {BAD_CONFIG} credentials that basic authentication cannot carry
 */
export function assertSafeBind(host: string, credentials: Credentials | null): void {
  if (credentials !== null) assertUsable(credentials)
  if (isLoopback(host)) return
  const at = bareHost(host)
  if (credentials === null) {
    throw new PipelineError('UNSAFE_BIND', 'another machine could reach the server, and it has no password', {
      at, do: 'listen on 127.0.0.1, or set SERVER_USER and SERVER_PASSWORD',
    })
  }
  if (credentials.password.length < PASSWORD_MIN_LENGTH) {
    throw new PipelineError('UNSAFE_BIND', 'the password is too short for a server that another machine can reach', {
      at, do: `set a SERVER_PASSWORD of at least ${PASSWORD_MIN_LENGTH} characters`,
    })
  }
}

function assertUsable({ user, password }: Credentials): void {
  const control = /\p{Cc}/u
  if (user === '' || user.includes(':') || control.test(user)) {
    throw new PipelineError('BAD_CONFIG', 'the user name is empty, or holds a colon or a control character', {
      at: 'SERVER_USER', do: 'use letters and digits',
    })
  }
  if (password === '' || control.test(password)) {
    throw new PipelineError('BAD_CONFIG', 'the password is empty or holds a control character', {
      at: 'SERVER_PASSWORD', do: 'set one',
    })
  }
}
