/** The longest tests stop a program at one of so many of its requests: at each third, or at each if `LAGAN_EVERY_MOMENT` is in the environment. */
export const momentStep = process.env.LAGAN_EVERY_MOMENT === undefined ? 3 : 1;
