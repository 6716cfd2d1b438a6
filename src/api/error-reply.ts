/** Answers to failed requests: an ErrorDocument, with the HTTP status of its code. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { type ErrorCode, MeshError } from '../model/error.ts';

/**
 * Sets the error handlers of an application.
 * @param invalid the code for a request that cannot be read: its body is too long or has the wrong shape
 */
export function answerErrors(app: FastifyInstance, invalid: ErrorCode): void {
  app.setErrorHandler((error, _request, reply) => sendError(reply, meshErrorOf(error, invalid), statusOf(error)));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.slice(0, 100);
    return sendError(
      reply,
      new MeshError('MESH_OBJECT_UNKNOWN', `there is no ${request.method} ${path}`, { object: path }),
    );
  });
}

/** fastify's own refusals (413, 415 …) keep their status. */
function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}

function meshErrorOf(error: unknown, invalid: ErrorCode): MeshError {
  if (error instanceof z.ZodError) {
    const [issue] = error.issues;
    const field = issue?.path.join('.') ?? '';
    return new MeshError(invalid, `${field || 'the request'}: ${issue?.message ?? 'is invalid'}`, {
      object: field,
      remedy: 'Send what the protocol describes.',
      cause: error,
    });
  }
  if (statusOf(error) !== undefined && error instanceof Error)
    return new MeshError(invalid, error.message, { cause: error });
  return MeshError.from(error);
}

function sendError(reply: FastifyReply, error: MeshError, status = error.httpStatus): FastifyReply {
  if (status === 503) reply.header('retry-after', '1');
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(error));
}
