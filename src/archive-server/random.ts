/** The number in [0, 1) that 32 random bits stand for. */
export const unitFloat = (bits: number): number => (bits >>> 0) / 2 ** 32

/** 32 well-mixed bits of a text and a seed: the same on every machine. */
export function hashOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return mix(hash)
}

/** A seeded source of numbers in [0, 1), the same on every machine: a Weyl sequence through an integer mixer. */
export function randomOf(seed: number): () => number {
  let state = mix(seed)
  return () => {
    state = (state + 0x9e3779b9) | 0
    return unitFloat(mix(state))
  }
}

function mix(value: number): number {
  let bits = value | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad)
  bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97)
  return (bits ^ (bits >>> 15)) >>> 0
}
