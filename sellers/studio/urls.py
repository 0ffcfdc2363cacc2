from django.urls import path

from sellers.studio import listings

app_name = "studio"
urlpatterns = [
    path("", listings.home, name="home"),
]
