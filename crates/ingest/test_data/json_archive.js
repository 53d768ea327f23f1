window.YTD.tweets.part0 = [ {
  "tweet" : {
    "id_str" : "1601645088790257667",
    "full_text" : "from the archive",
    "created_at" : "Sat Dec 10 18:28:51 +0000 2022"
  }
} ]
