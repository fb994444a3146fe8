/** Certificates: one that is given, or one that the server makes and signs itself and that clients know by its fingerprint (RFC 5280). */
import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { LaganError } from '../../repo-format/mod.ts';
import { bitString, integer, objectIdentifier, octetString, sequence, set, tagged, time, utf8String, yes } from './_der.ts';
import { serveLimits } from './limits.ts';

/** Both in PEM form. */
export interface CertificateAndKey {
  readonly certificate: string;
  readonly key: string;
}

const oids = {
  commonName: '2.5.4.3',
  subjectAlternativeName: '2.5.29.17',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
};

/** SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` has it, in lower case and without colons. */
export function fingerprintOf(certificate: string): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
}

/** A new key (P-256) and a certificate for these host names and addresses that it signs itself. */
export function selfSignedCertificate(
  hosts: readonly string[],
  { from = new Date(Date.now() - 86_400_000), days = serveLimits.certificateDays }: { from?: Date; days?: number } = {},
): CertificateAndKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(set(sequence(objectIdentifier(oids.commonName), utf8String('lagan serve'))));
  const algorithm = sequence(objectIdentifier(oids.ecdsaWithSha256));
  const until = new Date(from.getTime() + days * 86_400_000);
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name,
    sequence(time(from), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, extensionsOf(hosts)),
  );
  const signature = sign('sha256', content, privateKey);
  const certificate = pem('CERTIFICATE', sequence(content, algorithm, bitString(signature)));
  return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

/**
 * The certificate and key of a folder, made there the first time. Codes: io, forbidden, usage (they do not belong together).
 */
export function ownCertificate(folder: string, hosts: readonly string[]): CertificateAndKey {
  const files = { certificate: path.join(folder, 'certificate.pem'), key: path.join(folder, 'certificate.key') };
  if (!fs.existsSync(files.certificate)) {
    const made = selfSignedCertificate(hosts);
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The key first: a certificate without its key would be found the next time.
    fs.writeFileSync(files.key, made.key, { mode: 0o600 });
    fs.writeFileSync(files.certificate, made.certificate);
  }
  return readCertificate(files);
}

/** Codes: usage, if the files are no certificate and its key. */
export function readCertificate(files: CertificateAndKey): CertificateAndKey {
  try {
    const [certificate, key] = [fs.readFileSync(files.certificate, 'utf8'), fs.readFileSync(files.key, 'utf8')];
    const parsed = new X509Certificate(certificate);
    if (Date.parse(parsed.validTo) < Date.now()) throw new Error(`it ran out on ${parsed.validTo}`);
    return { certificate, key };
  } catch (cause) {
    const message = `the certificate ${files.certificate} with the key ${files.key} cannot be used: ${(cause as Error).message}`;
    throw new LaganError('usage', message, { cause, object: files.certificate });
  }
}

function extensionsOf(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => (net.isIP(host) === 0 ? tagged(0x82, Buffer.from(host)) : tagged(0x87, addressBytes(host))));
  const digitalSignature = Buffer.from([0x03, 0x02, 0x07, 0x80]);
  return sequence(
    sequence(objectIdentifier(oids.keyUsage), yes, octetString(digitalSignature)),
    sequence(objectIdentifier(oids.extendedKeyUsage), octetString(sequence(objectIdentifier(oids.serverAuthentication)))),
    sequence(objectIdentifier(oids.subjectAlternativeName), octetString(sequence(...names))),
  );
}

function addressBytes(address: string): Buffer {
  if (net.isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [before = '', after] = address.split('::');
  const groups = (text: string) => text.split(':').filter((group) => group !== '');
  const [head, tail] = [groups(before), groups(after ?? '')];
  const zeros = Array<string>(8 - head.length - tail.length).fill('0');
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...head, ...zeros, ...tail].entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  return bytes;
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString('base64')
    .match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
