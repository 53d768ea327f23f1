# Deploys the stack of deploy/template.yaml with AWS's own command line. Run again, it changes only what is different.
set -euo pipefail
stack=tweets
code=$stack-code-$(aws sts get-caller-identity --query Account --output text)

# The function looks the password up, as it does on AWS.
secret=$stack-elasticsearch
if ! arn=$(aws secretsmanager describe-secret --secret-id "$secret" --query ARN --output text 2>/dev/null); then
  arn=$(aws secretsmanager create-secret --name "$secret" --secret-string file:///secrets/elastic --query ARN --output text)
fi
aws secretsmanager put-secret-value --secret-id "$arn" --secret-string file:///secrets/elastic >/dev/null

aws s3api head-bucket --bucket "$code" 2>/dev/null || aws s3 mb "s3://$code"
aws cloudformation package --template-file deploy/template.yaml --s3-bucket "$code" --output-template-file /tmp/packaged.yaml >/dev/null
if [ -n "${AWS_ENDPOINT_URL:-}" ]; then
  # ministack compares this parameter with a number, and has it as a text.
  sed -i '/MaximumConcurrency:$/{N;s/:\n.*/: 5/}' /tmp/packaged.yaml
fi
aws cloudformation deploy --template-file /tmp/packaged.yaml --stack-name "$stack" --no-fail-on-empty-changeset \
  --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
  --parameter-overrides Store="${STORE:-http://elasticsearch:9200}" PasswordSecret="$arn" Timeout=60
aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' --output text
