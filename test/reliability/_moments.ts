/** The longest tests stop a program at one of so many of its requests, and leave out the longest proofs that they would fail: unless `LAGAN_EVERY_MOMENT` is in the environment. */
export const isEveryMoment = process.env.LAGAN_EVERY_MOMENT !== undefined;
export const momentStep = isEveryMoment ? 1 : 17;
/** The same for those that are shorter. */
export const shortStep = isEveryMoment ? 1 : 3;

/** How long a file of them may take, on a busy machine. */
export const longestMs = (isEveryMoment ? 180 : 20) * 60_000;
