/** `lagan serve`: repositories of this machine for others, which can add to them and neither change nor delete. */

export { isLoopback, JoinedStream } from '../storage/mod.ts';
export { type CertificateAndKey, fingerprintOf, ownCertificate, readCertificate, selfSignedCertificate } from './certificate.ts';
export { appendOnly, type Grant, isGrantName, isRole, parseRepositoryPath, type Quota, type Role, roles } from './grants.ts';
export type { ServedAccess } from './handler.ts';
export { type ServeLimits, serveLimits } from './limits.ts';
export { type NetworkServeOptions, placeBelow, type RunningServer, type ServeOptions, serve, serveStream } from './server.ts';
export { type StoredGrant, TokenFile } from './tokens.ts';
export { Usage, type UsageTotals } from './usage.ts';
