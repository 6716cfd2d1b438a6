/** A form of a document as a part of a request that zod reads. */
import { z } from 'zod';
import { fitted } from '../protocol/shapes/document.ts';
import type { Shape } from '../protocol/shapes/form.ts';

/** A schema that takes what the form takes. */
export function formed<T>(shape: Shape<T>): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    const { document, fault } = fitted(shape, value);
    if (fault === undefined) return document;
    context.addIssue(fault);
    return z.NEVER;
  });
}
