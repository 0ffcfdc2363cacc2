from django.urls import path

from sellers.studio import listings, statements

app_name = "studio"
urlpatterns = [
    path("", listings.home, name="home"),
    path("statements/", statements.statement_list, name="statement_list"),
    path("statements/<str:month>.csv", statements.statement_csv, name="statement_csv"),
    path("statements/<str:month>/", statements.statement_detail, name="statement_detail"),
]
