/** What the parts of maintenance decide, each at its limits. In one process: to start one takes longer than most of these tests together. */
import './parts/due.ts';
import './parts/inventory.ts';
import './parts/listed.ts';
import './parts/lock-status.ts';
import './parts/old-versions.ts';
import './parts/retention-locks.ts';
import './parts/revert-decisions.ts';
import './parts/sealed-epochs.ts';
import './parts/signals.ts';
import './parts/superfluous.ts';
