/** Each schedule leaves everything right. */
import t from 'tap';
import { scratchFolder } from '../reliability/_crash-points.ts';
import { schedules } from './schedules.ts';

for (const [name, schedule] of Object.entries(schedules)) {
  t.test(`schedule: ${name}`, async (t) => {
    t.same(await schedule(scratchFolder(t)), []);
  });
}
