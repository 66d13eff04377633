/** Bytes that the member of a source may inflate to: a month of 1s klines has some 350 MB. */
export const MEMBER_BYTES_MAX = 1_073_741_824
/** Inflated bytes for each deflated one: klines come to 2.5 to 25, a bomb to 1,000. */
export const RATIO_MAX = 200
/** Below this a ratio says nothing. */
export const RATIO_FREE_BYTES = 1_048_576
/** Entries that a directory may list before it is refused unread. */
export const ENTRIES_MAX = 16
/** Members up to this size are inflated at once; larger ones piece by piece, in constant memory. */
export const WHOLE_BYTES_MAX = 33_554_432
