/** What is done again and again: when it is due, and the loop that does it. Knows nothing of what is done. */
export { type RepeatOptions, repeat, systemClock, type TaskClock, type TaskOutcome } from './repeat.ts';
export { parseSchedule, Schedule, type ScheduleOptions } from './schedule.ts';
