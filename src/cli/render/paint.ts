import { createColors } from 'picocolors'

type Colour = (text: string) => string

/** Colours of one stream: each leaves text as it is where colours are off. */
export type Paint = Readonly<Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', Colour>>

export function paintOf(on: boolean): Paint {
  const { bold, dim, red, green, yellow, cyan } = createColors(on)
  return { bold, dim, red, green, yellow, cyan }
}

export const NO_PAINT: Paint = paintOf(false)
