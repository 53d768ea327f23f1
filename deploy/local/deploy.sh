# Deploys the stack of deploy/template.yaml with AWS's own command line. Run again, it changes only what is different.
set -euo pipefail
stack=tweets
account=$(aws sts get-caller-identity --query Account --output text)
code=$stack-code-$account

# The function looks the password up, as it does on AWS.
secret=$stack-elasticsearch
if ! arn=$(aws secretsmanager describe-secret --secret-id "$secret" --query ARN --output text 2>/dev/null); then
  arn=$(aws secretsmanager create-secret --name "$secret" --secret-string file:///secrets/elastic --query ARN --output text)
fi
aws secretsmanager put-secret-value --secret-id "$arn" --secret-string file:///secrets/elastic >/dev/null

# ministack knew no stack any more when it was killed, but has the bucket with its tweets, which the stack is to make.
status=$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text 2>/dev/null) || status=
bucket=$stack-$account-$AWS_DEFAULT_REGION
left=$bucket-left
case $status in
  "" | ROLLBACK_COMPLETE)
    if [ -n "$status" ]; then aws cloudformation delete-stack --stack-name "$stack"; fi
    if aws s3api head-bucket --bucket "$bucket" >/dev/null 2>&1; then
      aws s3api head-bucket --bucket "$left" >/dev/null 2>&1 || aws s3 mb "s3://$left"
      aws s3 mv --recursive --only-show-errors "s3://$bucket" "s3://$left"
      aws s3 rb "s3://$bucket"
    fi ;;
esac

aws s3api head-bucket --bucket "$code" >/dev/null 2>&1 || aws s3 mb "s3://$code"
aws cloudformation package --template-file deploy/template.yaml --s3-bucket "$code" --output-template-file /tmp/packaged.yaml >/dev/null
# ministack compares this parameter with a number, and has it as a text.
sed -i '/MaximumConcurrency:$/{N;s/:\n.*/: 5/}' /tmp/packaged.yaml
aws cloudformation deploy --template-file /tmp/packaged.yaml --stack-name "$stack" --no-fail-on-empty-changeset \
  --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
  --parameter-overrides Store="$STORE" PasswordSecret="$arn" Timeout=60

# What was in the queue when it was killed is not there any more, and what is written again triggers again. Tweets that are
# in the index already stay what they are, but for when they were received.
if aws s3api head-bucket --bucket "$left" >/dev/null 2>&1; then
  aws s3 mv --recursive --only-show-errors "s3://$left" "s3://$bucket"
  aws s3 rb "s3://$left"
elif [ -e /var/lib/ministack/killed ]; then
  aws s3 cp --recursive --only-show-errors --metadata-directive REPLACE "s3://$bucket/twitter/" "s3://$bucket/twitter/"
fi
rm -f /var/lib/ministack/killed

aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' --output text
