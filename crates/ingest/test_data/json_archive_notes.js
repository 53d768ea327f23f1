window.YTD.note_tweet.part0 = [
 {"noteTweet": {"noteTweetId": "1601645088790257667", "createdAt": "2022-12-10T18:28:51.000Z", "core": {"text": "a long post #tag", "hashtags": [{"text":"tag"}], "mentions": [], "urls": [], "cashtags": []}}}
]
