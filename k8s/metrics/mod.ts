/** What a cluster's monitoring asks of a container: how its backups go, whether it lives, whether it can work. */
export { type ProbeServer, type ProbeServerOptions, serveProbes } from './probes.ts';
export { VolumeMetrics, type VolumeOutcome } from './volume-metrics.ts';
