/** The `authorization` of an address with a name or a password; null without. */
export function authorizationOf({ username, password }: URL): string | null {
  const user = `${decodedText(username)}:${decodedText(password)}`
  return user === ':' ? null : `Basic ${Buffer.from(user).toString('base64')}`
}

/** A percent-encoded text; as it is written where it is no valid escape. */
export function decodedText(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
