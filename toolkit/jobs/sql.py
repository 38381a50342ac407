"""What the tables of jobs are asked, in the words of both databases."""

from toolkit.db import Sql

GET = """
SELECT jobs.*,
       (SELECT COUNT(*) FROM job_items WHERE job_id = jobs.id AND status = 'completed') AS answered,
       (SELECT COUNT(*) FROM job_items WHERE job_id = jobs.id AND status = 'failed') AS failures
  FROM jobs
 WHERE id = :id
"""
LIST = """
SELECT jobs.*,
       (SELECT COUNT(*) FROM job_items WHERE job_id = jobs.id AND status = 'completed') AS answered,
       (SELECT COUNT(*) FROM job_items WHERE job_id = jobs.id AND status = 'failed') AS failures
  FROM jobs
 WHERE (CAST(:user AS TEXT) IS NULL OR user_id = :user)
   AND (CAST(:status AS TEXT) IS NULL OR status = :status)
   AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
   AND (CAST(:after AS TEXT) IS NULL
        OR created_at < (SELECT created_at FROM jobs WHERE id = :after)
        OR (created_at = (SELECT created_at FROM jobs WHERE id = :after) AND id < :after))
 ORDER BY created_at DESC, id DESC
 LIMIT :limit
"""
INSERT = """
INSERT INTO jobs (id, kind, status, total, options, fingerprint, user_id, origin, worker, worker_until,
                  created_at, updated_at)
VALUES (:id, :kind, :status, :total, :options, :fingerprint, :user, :origin, :worker, :until, :at, :at)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""
ADD = Sql(
    """
    INSERT INTO job_items (job_id, position, status, request, updated_at)
    SELECT :job_id, :first + item.key, 'pending', item.value, :at
      FROM json_each(:requests) AS item
    """,
    postgres="""
    INSERT INTO job_items (job_id, position, status, request, updated_at)
    SELECT CAST(:job_id AS TEXT), CAST(:first AS BIGINT) + item.number - 1, 'pending', item.body,
           CAST(:at AS TIMESTAMPTZ)
      FROM jsonb_array_elements(:requests) WITH ORDINALITY AS item (body, number)
    """,
)
TAKE = """
UPDATE jobs
   SET worker = :worker, worker_until = :until, status = 'running', updated_at = :at
 WHERE id = :id AND status IN ('pending', 'running')
   AND (worker IS NULL OR worker = :worker OR worker_until <= :alive)
RETURNING id
"""
# An array is made once; `IN` may run the query anew for each row, and then the limit is none.
ADOPT = Sql(
    """
    UPDATE jobs
       SET worker = :worker, worker_until = :until, updated_at = :at
     WHERE id IN (SELECT id FROM jobs
                   WHERE status IN ('pending', 'running') AND kind = 'generation'
                     AND (worker IS NULL OR worker_until <= :alive)
                   ORDER BY id LIMIT :limit)
    RETURNING id
    """,
    postgres="""
    UPDATE jobs
       SET worker = :worker, worker_until = :until, updated_at = :at
     WHERE id = ANY (ARRAY (SELECT id FROM jobs
                             WHERE status IN ('pending', 'running') AND kind = 'generation'
                               AND (worker IS NULL OR worker_until <= :alive)
                             ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED))
    RETURNING id
    """,
)
RENEW = """
UPDATE jobs
   SET worker_until = :until
 WHERE worker = :worker AND status IN ('pending', 'running')
RETURNING id
"""
RELEASE = """
UPDATE jobs
   SET worker = NULL, worker_until = NULL, status = 'pending', updated_at = :at
 WHERE worker = :worker AND status IN ('pending', 'running')
"""
KEEP = """
UPDATE job_items
   SET status = :status, reply = :reply, error = :error, call_id = :call_id, updated_at = :at
 WHERE job_id = :job_id AND position = :position AND status NOT IN ('completed', 'failed')
RETURNING position
"""
FINISH = """
UPDATE jobs
   SET status = 'completed', worker = NULL, worker_until = NULL, updated_at = :at, ended_at = :at
 WHERE id = :id AND status IN ('pending', 'running') AND fingerprint <> ''
   AND NOT EXISTS (SELECT 1 FROM job_items WHERE job_id = :id AND status NOT IN ('completed', 'failed'))
RETURNING id
"""
END = """
UPDATE jobs
   SET status = :status, error = :error, worker = NULL, worker_until = NULL, updated_at = :at, ended_at = :at
 WHERE id = :id AND status IN ('pending', 'running')
RETURNING id
"""
REOPEN = """
UPDATE jobs
   SET status = 'pending', error = NULL, ended_at = NULL, worker = NULL, worker_until = NULL, updated_at = :at
 WHERE id = :id AND (status NOT IN ('pending', 'running') OR worker IS NULL OR worker_until <= :alive)
RETURNING id
"""
STOP = """
UPDATE jobs
   SET status = 'cancelled', worker = NULL, worker_until = NULL, ended_at = COALESCE(ended_at, :at)
 WHERE id = :id AND updated_at <= :before AND (worker IS NULL OR worker = :worker OR worker_until <= :alive)
RETURNING id
"""
OLD = """
SELECT id, total
  FROM jobs
 WHERE updated_at <= :before AND (worker IS NULL OR worker_until <= :before AND worker_until <= :alive)
 ORDER BY id
 LIMIT :limit
"""
COUNT_OLD = """
SELECT COUNT(*) AS n
  FROM jobs
 WHERE updated_at <= :before AND (worker IS NULL OR worker_until <= :before AND worker_until <= :alive)
"""
