/** What is on disk of a supervised process, so that a restarted supervisor adopts the process. */
import { readFileSync } from 'node:fs';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { isRunning, type ProcessMark, ProcessMarkShape } from './process-mark.ts';

/** The process, and how it was started. */
export interface ServiceRecord extends ProcessMark {
  readonly fingerprint: string;
  readonly label: string;
}

/** The end of the name of a record's file; the name of the service stands before it. */
export const RECORD_SUFFIX = '.process.json';

const RECORD_MAX_LENGTH = 64 * 1024;
const ServiceRecordShape: form.Shape<ServiceRecord> = form.object({
  ...ProcessMarkShape.fields,
  fingerprint: form.string(),
  label: form.string(),
});

/** The record in a file, if its process still runs. */
export function readRecord(file: string): ServiceRecord | undefined {
  try {
    // A record that a power cut has damaged is no record: after a power cut no process runs any more either.
    const record = readDocument(ServiceRecordShape, readFileSync(file, 'utf8'), RECORD_MAX_LENGTH).document;
    return record !== undefined && isRunning(record) ? record : undefined;
  } catch {
    return undefined;
  }
}
