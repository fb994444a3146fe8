/**
 * Uploads as many bytes as asked for in objects of 32 MiB, four at a time, by the S3 client library alone: the limit of what a backup can do over the same line.
 *
 * usage: node plain-upload.ts <endpoint> <bucket> <bytes>      (credentials from the environment)
 */
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

const objectBytes = 32 * 2 ** 20;
const atOnce = 4;

const [endpoint, bucket, bytes] = process.argv.slice(2);
const client = new S3Client({ endpoint: endpoint!, region: process.env.AWS_REGION ?? 'us-east-1', forcePathStyle: true });
const body = Buffer.alloc(objectBytes, 1);
let waiting = Array.from({ length: Math.ceil(Number(bytes) / objectBytes) }, (_, index) =>
  Math.min(objectBytes, Number(bytes) - index * objectBytes),
);
await Promise.all(Array.from({ length: atOnce }, uploadSome));
client.destroy();

async function uploadSome(): Promise<void> {
  for (;;) {
    const [length, ...rest] = waiting;
    if (length === undefined) return;
    waiting = rest;
    await client.send(new PutObjectCommand({ Bucket: bucket!, Key: `plain/${rest.length}`, Body: body.subarray(0, length) }));
  }
}
