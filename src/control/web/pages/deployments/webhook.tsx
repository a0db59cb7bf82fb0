// Implements the address of the webhook, with what to enter at each kind of git server.

import { Card, CopyLine, Fact, Facts } from "../../ui/components.tsx";

export function Webhook({ origin, secret }: { origin: string; secret: string | null }) {
  return (
    <Card title="Webhook" id="webhook">
      {secret === null
        ? (
          <p class="quiet">
            To deploy each push at once, store a random secret, enter its name above, and let the git server send its
            pushes here.
          </p>
        )
        : (
          <>
            <p>Let the git server send its pushes to this address:</p>
            <CopyLine
              id="webhook-url"
              text={`${origin}/api/git-source/webhook`}
              label="Copy the address of the webhook"
            />
            <Facts isLines>
              <Fact term="GitHub">
                Settings, Webhooks, Add webhook: content type <code>application/json</code>, the value of{" "}
                <code>{secret}</code> as the secret, just the push event.
              </Fact>
              <Fact term="Gitea, Forgejo">
                Settings, Webhooks, Add webhook: POST, <code>application/json</code>, the value of <code>{secret}</code>
                {" "}
                as the secret.
              </Fact>
              <Fact term="GitLab">
                Settings, Webhooks: the value of <code>{secret}</code> as the secret token, push events.
              </Fact>
              <Fact term="Bitbucket">
                Repository settings, Webhooks: the value of <code>{secret}</code> as the secret, repository push.
              </Fact>
            </Facts>
          </>
        )}
    </Card>
  );
}
