/** What an S3 store's errors mean: whether trying again may help, and what a person is told. */
import { type ErrorCode, LaganError } from '../../repo-format/mod.ts';
import { notFound } from './_names.ts';
import type { Verdict } from './_retries.ts';
import { BrokenAnswer } from './_s3-body.ts';
import type { S3Place } from './_s3-place.ts';
import { storageLimits } from './limits.ts';

/** An answer that no store should give. */
export class WrongAnswer extends Error {}

/** What the SDK's errors have in common, and those of Node. */
interface SomeError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly cause?: unknown;
  readonly region?: string;
  readonly Region?: string;
  readonly Endpoint?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

interface Meaning {
  readonly code: ErrorCode;
  readonly text: (place: S3Place, error: unknown) => string;
  readonly hint?: string | ((place: S3Place, error: unknown) => string);
}

/** The HTTP status, if there was an answer. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as SomeError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** The store's word for an error (`NoSuchKey`), or the system's (`ECONNREFUSED`). */
export function wordOf(error: unknown): string {
  const { name = '', code } = (error ?? {}) as SomeError;
  return ['', 'Error', 'AggregateError', 'TypeError', 'TimeoutError'].includes(name) ? (code ?? name) : name;
}

export function isNotFound(error: unknown): boolean {
  return statusOf(error) === 404 && wordOf(error) !== 'NoSuchBucket' && wordOf(error) !== 'NoSuchUpload';
}

/** The condition of a creation was not met: an object of that name is there. */
export function isPreconditionFailed(error: unknown): boolean {
  return statusOf(error) === 412;
}

/** The store does not know what was asked for. */
export function isNotImplemented(error: unknown): boolean {
  return statusOf(error) === 501 || wordOf(error) === 'NotImplemented';
}

export function isExpired(error: unknown): boolean {
  return ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'].includes(wordOf(error));
}

const throttled = ['SlowDown', 'Throttling', 'ThrottlingException', 'TooManyRequests', 'RequestLimitExceeded', 'BandwidthLimitExceeded'];
const passing = ['RequestTimeout', 'BadDigest', 'IncompleteBody', 'XAmzContentSHA256Mismatch', 'OperationAborted', 'TimeoutError'];
const lostConnection = [
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'EAI_AGAIN',
  'ENOTFOUND',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'HPE_INVALID_CONSTANT',
  'HPE_CLOSED_CONNECTION',
];
/** What a wrong address gives as well as a passing fault: not worth a long wait before the store has answered once. */
const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'TimeoutError', 'ETIMEDOUT'];

/** Whether an error may be gone the next time. `hasAnswered`: the store has given an answer to this process before. */
export function judgeS3(error: unknown, { attempt, hasAnswered }: { attempt: number; hasAnswered: boolean }): Verdict {
  if (error instanceof BrokenAnswer || error instanceof WrongAnswer) return 'later';
  if (error instanceof LaganError) return 'never';
  const [status, word] = [statusOf(error), wordOf(error)];
  if (status === 429 || status === 509 || throttled.includes(word)) return 'slower';
  // The SDK sets its clock by such an answer, or looks for other credentials: once more is enough.
  if (isSkewed(error) || isExpired(error)) return attempt < 2 ? 'later' : 'never';
  if (status !== undefined && status >= 400) return isPassing(status, word) ? 'later' : 'never';
  if (unreachable.includes(word) && !hasAnswered) return attempt < storageLimits.remote.attemptsOfFirstContact ? 'later' : 'never';
  if (isLost(error)) return 'later';
  // A success whose body was not XML.
  return status !== undefined ? 'later' : 'never';
}

function isPassing(status: number, word: string): boolean {
  return [408, 409, 423, 425, 500, 502, 503, 504].includes(status) || passing.includes(word);
}

function isLost(error: unknown): boolean {
  const word = wordOf(error);
  const { message = '' } = error as SomeError;
  return lostConnection.includes(word) || passing.includes(word) || /socket hang up|aborted/i.test(message);
}

function isSkewed(error: unknown): boolean {
  return ['RequestTimeTooSkewed', 'RequestInTheFuture'].includes(wordOf(error));
}

/** Milliseconds that the store asked to wait. */
export function pauseAskedBy(error: unknown): number | undefined {
  const seconds = Number((error as SomeError).$response?.headers?.['retry-after'] ?? Number.NaN);
  return seconds >= 0 && seconds <= 120 ? seconds * 1000 : undefined;
}

/** The error as a person is told of it. `attempt`: what was tried, such as `reading writer/packs/…`; `object`: the one that it is about, if it is about one. */
export function explainS3(
  error: unknown,
  { place, attempt, object }: { place: S3Place; attempt: string; object?: string | undefined },
): unknown {
  if (error instanceof LaganError) return error;
  if (isNotFound(error) && object !== undefined) return notFound(object, error);
  const meaning = meaningOf(error);
  if (meaning === undefined) return error;
  const { code, hint } = meaning;
  const message = `${attempt} in s3://${place.bucket}${place.endpoint === undefined ? '' : ` at ${place.endpoint}`} failed: ${meaning.text(place, error)}`;
  const { code: errno } = error as SomeError;
  return new LaganError(code, message, {
    cause: error,
    object,
    errno: typeof errno === 'string' ? errno : undefined,
    found: code === 'no-repository' ? 'absent' : (statusOf(error) ?? wordOf(error)),
    hint: typeof hint === 'function' ? hint(place, error) : hint,
  });
}

function meaningOf(error: unknown): Meaning | undefined {
  if (error instanceof BrokenAnswer || error instanceof WrongAnswer) return { code: 'unavailable', text: () => error.message };
  const [status, word] = [statusOf(error), wordOf(error)];
  const known =
    meanings.find(({ words }) => words.includes(word)) ??
    meanings.find(({ statuses }) => status !== undefined && statuses?.includes(status));
  if (known !== undefined) return known;
  if (status !== undefined && status >= 500) return serverTrouble;
  if (status !== undefined) return refusal;
  if (isTls(word)) return tlsTrouble;
  return isLost(error) || typeof (error as SomeError).code === 'string' ? noConnection : undefined;
}

const said = (_: unknown, error: unknown) => {
  const status = statusOf(error);
  const { message = '' } = error as SomeError;
  const word = wordOf(error);
  const text = message === '' || message === word ? word : `${word}: ${message}`;
  return status === undefined ? text : `the store says ${status} ${text}`;
};

const serverTrouble: Meaning = { code: 'unavailable', text: said, hint: 'the store is in trouble; try again later' };
const refusal: Meaning = { code: 'io', text: said };
const noConnection: Meaning = { code: 'unavailable', text: said, hint: 'check the network and that the store runs' };
const tlsTrouble: Meaning = {
  code: 'unavailable',
  text: (_, error) => `the store is not trusted: ${(error as SomeError).message}`,
  hint: ({ endpoint }) =>
    endpoint === undefined
      ? 'something between here and the store replaces its certificate; name the certificates to trust with ca=FILE in the URL'
      : 'name the file of its certificate authority with ca=FILE in the URL; a server without TLS needs endpoint=http://…',
};

/** The more telling ones first; a status counts only if no word is known. */
const meanings: readonly (Meaning & { readonly words: readonly string[]; readonly statuses?: readonly number[] })[] = [
  {
    words: ['NoSuchBucket'],
    code: 'no-repository',
    text: ({ bucket }) => `there is no bucket ${bucket}`,
    hint: 'check its name, the endpoint and the region; lagan init makes it if it may',
  },
  {
    words: ['PermanentRedirect', 'TemporaryRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'],
    statuses: [301, 302, 307, 308],
    code: 'usage',
    text: (place, error) =>
      `the bucket is in another region${regionOf(error) === undefined ? '' : `, ${regionOf(error)}`}, not ${place.region ?? 'the one that is configured'}`,
    hint: (_, error) => `write region=${regionOf(error) ?? 'REGION'} into the URL`,
  },
  {
    words: ['RequestTimeTooSkewed', 'RequestInTheFuture'],
    code: 'forbidden',
    text: () => "this machine's clock and the store's are too far apart",
    hint: 'set the clock (timedatectl set-ntp true)',
  },
  {
    words: ['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired', 'RequestExpired'],
    code: 'forbidden',
    text: () => 'the credentials have expired',
    hint: 'get new ones (aws sso login, or a new session token) and try again: what was stored stays',
  },
  {
    words: [
      'InvalidAccessKeyId',
      'SignatureDoesNotMatch',
      'InvalidToken',
      'UnrecognizedClientException',
      'InvalidClientTokenId',
      'NotSignedUp',
    ],
    code: 'forbidden',
    text: said,
    hint: 'the access key or its secret is wrong, or they are for another store: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the profile',
  },
  {
    words: ['CredentialsProviderError', 'ProviderError', 'TokenProviderError'],
    code: 'forbidden',
    text: (_, error) => `no credentials were found: ${(error as SomeError).message}`,
    hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or write profile=NAME into the URL',
  },
  {
    words: [
      'QuotaExceeded',
      'QuotaExceededException',
      'StorageFull',
      'XMinioStorageFull',
      'XMinioAdminBucketQuotaExceeded',
      'InsufficientStorage',
      'ENOSPC',
    ],
    statuses: [507],
    code: 'no-space',
    text: said,
    hint: 'the store is full or its quota is used up',
  },
  {
    words: ['InvalidObjectState'],
    code: 'forbidden',
    text: () => 'the object was moved to an archive and must be restored there first',
    hint: 'restore it in the store, and keep a lifecycle rule from archiving the objects of a repository',
  },
  {
    words: ['InvalidStorageClass', 'KMS.NotFoundException', 'InvalidEncryptionAlgorithmError', 'InvalidRegion', 'InvalidBucketName'],
    code: 'usage',
    text: said,
    hint: 'check the options in the URL',
  },
  { words: ['NoSuchUpload'], code: 'io', text: () => 'the upload was ended, by the store or by somebody who took it for abandoned' },
  {
    words: ['BucketAlreadyExists'],
    code: 'forbidden',
    text: ({ bucket }) => `the bucket ${bucket} belongs to somebody else`,
    hint: "names of buckets are shared by all of the store's customers: choose another one",
  },
  {
    words: ['AccessDenied', 'AccessDeniedException', 'AllAccessDisabled', 'AccountProblem'],
    statuses: [401, 403],
    code: 'forbidden',
    text: said,
    hint: 'the credentials may not do this: docs/object-stores.md lists what each role needs',
  },
  { words: ['EntityTooLarge'], statuses: [413], code: 'limit-exceeded', text: said, hint: 'the store takes smaller objects only' },
  { words: ['NotImplemented', 'MethodNotAllowed'], statuses: [405, 501], code: 'unsupported', text: said },
  {
    words: throttled,
    statuses: [429, 509],
    code: 'unavailable',
    text: said,
    hint: 'the store wants fewer requests: use --limit-requests, or connections=4 in the URL',
  },
  {
    words: ['ENOTFOUND', 'EAI_AGAIN'],
    code: 'unavailable',
    text: ({ endpoint }, error) => `the host of ${endpoint ?? 'the store'} was not found (${wordOf(error)})`,
    hint: 'check the spelling of the endpoint, and the network',
  },
  {
    words: ['ECONNREFUSED'],
    code: 'unavailable',
    text: ({ endpoint }) => `nobody listens at ${endpoint ?? "the store's address"}`,
    hint: 'check host and port of the endpoint, and that the store runs',
  },
  {
    words: ['TimeoutError', 'ETIMEDOUT'],
    code: 'unavailable',
    text: () => 'the store did not answer in time',
    hint: 'check the network, and the address of the endpoint',
  },
];

function isTls(word: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(word);
}

function regionOf(error: unknown): string | undefined {
  const { $response, region, Region } = error as SomeError;
  return $response?.headers?.['x-amz-bucket-region'] ?? Region ?? region;
}
